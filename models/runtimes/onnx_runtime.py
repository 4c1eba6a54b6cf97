"""ONNX Runtime behind the `Runtime` port: CUDA where it really works, else the CPU.

Not chosen here: threads, file. Both come from `models.encoder`.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

from models.errors import RuntimeUnavailable
from models.runtimes.port import Floats, Ids, check_batch

logger = logging.getLogger(__name__)

ERRORS_ONLY: Final = 3
"""ONNX Runtime's own log level: warnings there are for its developers."""

_BOTH: Final = ("embedding", "token_states")
_EMBEDDING: Final = ("embedding",)


class OnnxRuntime:
    """One session. `run` may be called from any thread at once."""

    name = "onnxruntime"

    def __init__(self, path: Path, *, threads: int, device: str = "CPU") -> None:
        """Load `path`. Raises RuntimeUnavailable."""
        self.fallback = ""
        self._session: ort.InferenceSession | None = self._open(path, threads, device)
        providers = self._session.get_providers()
        self.device = "CUDA" if "CUDAExecutionProvider" in providers else "CPU"
        if device == "CUDA" and self.device == "CPU":
            self.fallback = "CUDA was asked for and does not start; the CPU is used"
            logger.warning("encoder falls back to the CPU", extra={"wanted": device})

    def run(
        self, input_ids: Ids, attention_mask: Ids, *, want_states: bool = True
    ) -> tuple[Floats, Floats | None]:
        """See `Runtime.run`. Raises RuntimeUnavailable."""
        if self._session is None:
            raise RuntimeUnavailable("The encoder is closed.")
        check_batch(input_ids, attention_mask)
        feed = {"input_ids": input_ids, "attention_mask": attention_mask}
        try:
            found: list[Any] = self._session.run(_BOTH if want_states else _EMBEDDING, feed)
        except Exception as error:
            raise RuntimeUnavailable(
                f"ONNX Runtime failed on this batch ({type(error).__name__})."
            ) from error
        return found[0], found[1] if want_states else None

    def close(self) -> None:
        """Free the session."""
        self._session = None

    def _open(self, path: Path, threads: int, device: str) -> ort.InferenceSession:
        providers = ["CPUExecutionProvider"]
        if device == "CUDA" and "CUDAExecutionProvider" in ort.get_available_providers():
            providers.insert(0, "CUDAExecutionProvider")
        try:
            return ort.InferenceSession(path, _options(threads), providers=providers)
        except Exception as error:
            raise RuntimeUnavailable(
                f"ONNX Runtime cannot load {path.name} ({type(error).__name__})."
            ) from error


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = ERRORS_ONLY
    # Idle threads must sleep: spinning ones took whole cores between two customers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The arena grows with the longest batch and never shrinks: 384 MB after batches of 8-256 tokens, 130 MB without.
    options.enable_cpu_mem_arena = False
    return options
