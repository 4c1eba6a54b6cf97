"""A language model of which every error is a `ModelError` that quotes nothing, whatever its runtime raises."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from core.errors import PosternError
from models.errors import RuntimeUnavailable
from models.runtimes.port import GenerationResult, Message, TextGenerator


class Shielded:
    """Another error would end whoever holds it, and its message, or that of its cause, may hold what it choked on."""

    def __init__(self, model: TextGenerator) -> None:
        self._model = model
        self.name, self.device = model.name, model.device
        self.context_tokens, self.fallback = model.context_tokens, model.fallback

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        """See `TextGenerator.generate`."""
        with as_model_error():
            return self._model.generate(messages, max_new_tokens=max_new_tokens, on_text=on_text)

    def close(self) -> None:
        """See `TextGenerator.close`."""
        self._model.close()


@contextmanager
def as_model_error() -> Iterator[None]:
    """Around calls of a model. Raises `PosternError` only, without a cause: a traceback shows it, too."""
    try:
        yield
    except PosternError as error:
        raise error from None
    except Exception as error:
        raise RuntimeUnavailable(f"The language model failed ({type(error).__name__}).") from None
