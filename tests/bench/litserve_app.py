"""LitServe around the bare encoder, as the bench's other side: `python litserve_app.py SETTINGS`, a JSON object.

Runs in the peer's own environment and stands alone: nothing of Postern can be imported there.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime
from litserve.specs.openai_embedding import OpenAIEmbeddingSpec
from tokenizers import Tokenizer

TOKENS_MAX = 256


class Embeddings(litserve.LitAPI):
    """ONNX Runtime on one thread and the tokenizer in each worker; LitServe makes the batches."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(
            settings["batch"], settings["batch_timeout_s"], enable_async=False, spec=OpenAIEmbeddingSpec()
        )
        self._settings = settings

    def setup(self, device: str) -> None:
        """In the worker."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            self._settings["model"], options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer = Tokenizer.from_file(self._settings["tokenizer"])
        self._tokenizer.enable_padding()
        self._tokenizer.enable_truncation(TOKENS_MAX)

    def predict(self, inputs: Any) -> Any:
        """A text alone, or a batch."""
        alone = isinstance(inputs, str)
        pieces = self._tokenizer.encode_batch_fast([inputs] if alone else list(inputs))
        ids = np.array([piece.ids for piece in pieces], np.int64)
        mask = np.array([piece.attention_mask for piece in pieces], np.int64)
        (vectors,) = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": mask})
        return vectors[0] if alone else vectors


def main(settings: dict[str, Any]) -> None:
    server = litserve.LitServer(
        Embeddings(settings),
        accelerator="cpu",
        workers_per_device=settings["workers"],
        timeout=False,
        # Its ZeroMQ queue loses answers when sixteen ask at once; without it no request was slower.
        fast_queue=False,
    )
    server.run(
        host="127.0.0.1",
        port=settings["port"],
        num_api_servers=1,
        log_level="error",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
