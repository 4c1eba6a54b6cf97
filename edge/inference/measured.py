"""The OpenTelemetry GenAI server metrics around whatever writes the answers.

Names, units and bounds are of the semantic conventions for generative AI ("Generative AI model server"), in
Prometheus' spelling. A piece of text counts as a token: the worker hands over one token at a time, but for characters
of several tokens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from time import perf_counter
from typing import Final, TypeVar

from prometheus_client import Histogram

from core.errors import PosternError
from edge.inference.conversation import Begun, Generator, Message

_DURATION_BOUNDS_S: Final = tuple(0.01 * 2**step for step in range(14))
_FIRST_BOUNDS_S: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
)  # fmt: skip
_TOKEN_BOUNDS_S: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
OWN, SERVER = "postern", "openai"
"""What is measured under (gen_ai.provider.name): the node's own engine, or a server of OpenAI's protocol."""

_Piece = TypeVar("_Piece", str, str | Begun)

_LABELS: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

_duration = Histogram(
    "gen_ai_server_request_duration_seconds",
    "Time of one generation",
    [*_LABELS, "error_type"],
    buckets=_DURATION_BOUNDS_S,
)
_first = Histogram(
    "gen_ai_server_time_to_first_token_seconds", "Time to the first text", _LABELS, buckets=_FIRST_BOUNDS_S
)
_per_token = Histogram(
    "gen_ai_server_time_per_output_token_seconds",
    "Time between tokens after the first",
    _LABELS,
    buckets=_TOKEN_BOUNDS_S,
)


class Measured:
    """A generator that is measured."""

    def __init__(self, inner: Generator, provider: str, model: str) -> None:
        """`provider`: `OWN` or `SERVER`."""
        self._inner = inner
        self._provider = provider
        self._model = model

    @property
    def ready(self) -> bool:
        """See the generator's own."""
        return self._inner.ready

    @property
    def first_text_s(self) -> float:
        """See the generator's own."""
        return self._inner.first_text_s

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str = ""
    ) -> AsyncGenerator[str | Begun, None]:
        """See the generator's own."""
        wanted = self._inner.generate(
            messages, max_new_tokens=max_new_tokens, deadline_s=deadline_s, about=about
        )
        return measured(wanted, self._provider, self._model)


async def measured(
    generation: AsyncGenerator[_Piece, None], provider: str, model: str
) -> AsyncGenerator[_Piece, None]:
    """The same text, measured. `error_type`: empty, an error's code, or "left" for a reader who went."""
    names = ("chat", provider, model)
    began = perf_counter()
    first = last = 0.0
    pieces, error_type = 0, "left"
    try:
        async with aclosing(generation) as texts:
            async for text in texts:
                if isinstance(text, str):
                    last = perf_counter()
                    first = first or last
                    pieces += 1
                yield text
        error_type = ""
    except PosternError as error:
        error_type = error.code
        raise
    finally:
        _duration.labels(*names, error_type).observe(perf_counter() - began)
        if pieces:
            _first.labels(*names).observe(first - began)
        if pieces > 1:
            _per_token.labels(*names).observe((last - first) / (pieces - 1))
