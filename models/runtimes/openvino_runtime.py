"""OpenVINO behind the `Runtime` port, on int8 weights whose activations it quantises itself.

Compiled once, then from a cache beside the model. Which file it gets is chosen in `models.encoder`.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

import openvino as ov

from models.errors import RuntimeUnavailable
from models.runtimes.port import Floats, Ids, check_batch

CACHE: Final = "openvino-cache"

QUANTISED_GROUP: Final = "128"
"""Activations that share one int8 scale. Texts/s on two VNNI cores, cosine to fp32: off 136, .9997; 32 → 181, .9995;
128 → 241, .9991; 384 → 231, .9981. ONNX Runtime's form of the file: 75, .9941."""


class OpenVinoRuntime:
    """One compiled model; an inference request a thread."""

    name = "openvino"

    def __init__(self, path: Path, *, threads: int, device: str = "CPU") -> None:
        """Compile `path`. Raises RuntimeUnavailable."""
        self.device = device
        self.fallback = ""
        settings = {
            # One stream over all threads: measured 1.8x a stream a core, for our one batch at a time.
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": QUANTISED_GROUP,
            "CACHE_DIR": str(path.parent / CACHE),
        }
        try:
            self._model: Any = ov.Core().compile_model(str(path), device, settings)
        except Exception as error:
            raise RuntimeUnavailable(
                f"OpenVINO cannot compile {path.name} ({type(error).__name__})."
            ) from error
        self._own = threading.local()

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises RuntimeUnavailable."""
        if self._model is None:
            raise RuntimeUnavailable("The encoder is closed.")
        check_batch(input_ids, attention_mask)
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self._model.create_infer_request()
        try:
            request.infer({"input_ids": input_ids, "attention_mask": attention_mask})
            embedding: Floats = request.get_tensor("embedding").data.copy()
            states: Floats | None = request.get_tensor("token_states").data.copy() if want_states else None
        except Exception as error:
            raise RuntimeUnavailable(f"OpenVINO failed on this batch ({type(error).__name__}).") from error
        return embedding, states

    def close(self) -> None:
        """Free the compiled model."""
        self._model = None
        self._own = threading.local()
