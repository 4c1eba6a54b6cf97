"""The official fake of `TextGenerator`: says a fixed text, piece by piece, as fast as it is told. No model.

For tests of everything around a model (queues, deadlines, a worker that dies); the contract suite keeps it honest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from models.errors import PromptTooLong
from models.runtimes.port import GenerationResult, Message


class ScriptedGenerator:
    """Repeats its words until `max_new_tokens`, or stops after `words` once when `endless` is false."""

    name = "scripted"
    device = "CPU"
    context_tokens = 2048

    def __init__(
        self,
        words: Sequence[str] = ("All", " is", " well", "."),
        *,
        pause_s: float = 0.0,
        endless: bool = False,
    ) -> None:
        self._words = tuple(words)
        self._pause_s = pause_s
        self._endless = endless
        self._clock = threading.Event()
        self._busy = threading.Lock()

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        """See `TextGenerator.generate`: a token is a word. Raises PromptTooLong."""
        prompt_tokens = sum(len(message.content.split()) for message in messages)
        if prompt_tokens + max_new_tokens > self.context_tokens:
            raise PromptTooLong(f"{prompt_tokens} and {max_new_tokens} words exceed {self.context_tokens}.")
        with self._busy:
            said: list[str] = []
            while self._endless or len(said) < len(self._words):
                if len(said) == max_new_tokens:
                    return GenerationResult("".join(said), "length", prompt_tokens, len(said))
                self._clock.wait(self._pause_s)
                said.append(self._words[len(said) % len(self._words)])
                if on_text(said[-1]):
                    return GenerationResult("".join(said), "stopped", prompt_tokens, len(said))
            return GenerationResult("".join(said), "stop", prompt_tokens, len(said))

    def close(self) -> None:
        """Nothing to free."""
