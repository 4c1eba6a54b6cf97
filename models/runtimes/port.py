"""The ports: what the rest of Postern may ask of a loaded model, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from models.errors import LayersMissing, RuntimeUnavailable

if TYPE_CHECKING:
    from models.placement import Shortfall

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Layers = Sequence[Floats]
"""Token states [batch, tokens, dim] after each layer, from the lowest."""

LAYER: Final = "layer"
"""An output with the states after a lower layer, numbered from 0."""

STATES: Final = "token_states"
"""The output with the states after the last layer."""


def layer_names(outputs: Sequence[str]) -> tuple[str, ...]:
    """Those of a model's outputs that are its layers, from the lowest. Raises LayersMissing."""
    layers = sum(name.startswith(LAYER) for name in outputs)
    if not layers:
        raise LayersMissing("The model's file does not give out its layers.")
    return (*(f"{LAYER}{number}" for number in range(layers)), STATES)


class Runtime(Protocol):
    """One loaded encoder on one device. Thread-safe; every failure is a `ModelError`."""

    @property
    def name(self) -> str:
        """`onnxruntime` or `openvino`."""
        ...

    @property
    def device(self) -> str:
        """`CPU`, `CUDA`, …"""
        ...

    @property
    def shortfall(self) -> Shortfall | None:
        """Why another device serves than the one that was placed; None: it does."""
        ...

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """[batch, tokens] twice → embedding [batch, dim], L2-normalised, and token states [batch, tokens, dim].

        The states are None when not wanted: they are then neither fetched nor copied.
        """
        ...

    def run_layers(self, input_ids: Ids, attention_mask: Ids) -> tuple[Floats, Layers]:
        """As `run`, with the token states after every layer, the last of which are what `run` gives.

        Raises LayersMissing where the model's file does not give them out.
        """
        ...

    def close(self) -> None:
        """Free the model; a later `run` is an error."""
        ...


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


def check_batch(input_ids: Ids, attention_mask: Ids) -> None:
    """Runtimes differ in what they make of arrays that do not fit; none gets to see one. Raises RuntimeUnavailable."""
    if input_ids.ndim != 2 or input_ids.shape != attention_mask.shape or not input_ids.size:
        raise RuntimeUnavailable(
            f"A batch of shapes {input_ids.shape} and {attention_mask.shape} does not fit."
        )


Finish = Literal["stop", "length", "stopped"]
"""The model ended; `max_new_tokens` was reached; the caller's `on_text` said so."""


@dataclass(frozen=True)
class GenerationResult:
    """How a generation ended."""

    text: str
    finish: Finish
    prompt_tokens: int
    new_tokens: int


class TextGenerator(Protocol):
    """One loaded language model. One generation at a time; a second caller waits."""

    @property
    def name(self) -> str:
        """`openvino-genai`, …"""
        ...

    @property
    def device(self) -> str:
        """`CPU`, …"""
        ...

    @property
    def context_tokens(self) -> int:
        """What prompt and answer may have together."""
        ...

    @property
    def fallback(self) -> str:
        """Why something older or weaker than asked for serves; empty when it does not."""
        ...

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, on_text: Callable[[str], bool]
    ) -> GenerationResult:
        """Greedy. `on_text` gets each new piece of text in this thread and returns True to stop.

        Raises PromptTooLong (prompt and answer do not fit `context_tokens`) or RuntimeUnavailable.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...
