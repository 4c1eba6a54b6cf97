"""The official fakes of `Runtime` and `TextGenerator`: no model, and they do what they are told, failing included.

For tests of everything around a model (queues, deadlines, a device that is lost, a worker that dies); the contract
suite keeps them honest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, Literal

import numpy as np

from models.errors import PromptTooLong, RuntimeUnavailable
from models.runtimes.port import Floats, GenerationResult, Ids, Layers, Message, check_batch

Trouble = Literal["", "error", "nan", "wrong", "hang", "out_of_memory"]
"""What a `ScriptedRuntime` does instead of its work; empty: its work."""

_DIM: Final = 8


class ScriptedRuntime:
    """Token states are sines of the ids, an embedding is their normalised mean. Made worse by `trouble`, and mended."""

    name = "scripted"
    shortfall = None

    def __init__(self, *, device: str = "CPU", dim: int = _DIM) -> None:
        self.device = device
        self.calls = 0
        self._dim = dim
        self._trouble: Trouble = ""
        self._released = threading.Event()
        self._closed = False

    @property
    def trouble(self) -> Trouble:
        """What every call from now on meets. Setting it lets go of calls that hang, which then answer rightly."""
        return self._trouble

    @trouble.setter
    def trouble(self, trouble: Trouble) -> None:
        released, self._released = self._released, threading.Event()
        self._trouble = trouble
        released.set()

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises RuntimeUnavailable, or MemoryError when told to."""
        if self._closed:
            raise RuntimeUnavailable("The scripted encoder is closed.")
        check_batch(input_ids, attention_mask)
        self.calls += 1
        released = self._released
        match self._trouble:
            case "error":
                raise RuntimeUnavailable("The scripted device fails.")
            case "out_of_memory":
                raise MemoryError("std::bad_alloc")
            case "hang":
                released.wait()
            case "nan":
                return self._answer(input_ids, attention_mask, want_states, scale=np.nan)
            case "wrong":
                return self._answer(input_ids, attention_mask, want_states, scale=0.5)
        return self._answer(input_ids, attention_mask, want_states)

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        """See `Runtime.run_layers`: it has one layer."""
        embedding, states = self.run(input_ids, attention_mask)
        assert states is not None
        return embedding, (states,)

    def close(self) -> None:
        """Let go of every call; a later one is an error."""
        self._closed = True
        self._released.set()

    def _answer(
        self, ids: Ids, mask: Ids, want_states: bool, scale: float = 1.0
    ) -> tuple[Floats, Floats | None]:
        frequencies = np.arange(1, self._dim + 1, dtype=np.float32) / self._dim
        states = np.sin(ids[:, :, None] * frequencies, dtype=np.float32)
        total = (states * mask[:, :, None]).sum(axis=1)
        embedding = scale * total / np.linalg.norm(total, axis=1, keepdims=True)
        return embedding.astype(np.float32), states if want_states else None


class ScriptedGenerator:
    """Repeats its words until `max_new_tokens`, or stops after `words` once when `endless` is false."""

    name = "scripted"
    device = "CPU"
    context_tokens = 2048
    fallback = ""

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
