"""The ports: what the rest of Postern may ask of a loaded model, whatever runs it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Runtime(Protocol):
    """One loaded encoder on one device. Thread-safe; every failure is a `ModelError`."""

    name: str
    """`onnxruntime` or `openvino`."""
    device: str
    """`CPU`, `CUDA`, …"""
    fallback: str
    """Why this is slower or weaker than asked for; empty when it is not."""

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """[batch, tokens] twice → embedding [batch, dim], L2-normalised, and token states [batch, tokens, dim].

        The states are None when not wanted: they are then neither fetched nor copied.
        """
        ...

    def close(self) -> None:
        """Free the model; a later `run` is an error."""
        ...
