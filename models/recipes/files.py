"""The names of the files that a recipe leaves behind. No code: the runtime side reads these without the recipes."""

from __future__ import annotations

from typing import Final

FP32_FILE: Final = "encoder.fp32.onnx"
INT8_FILE: Final = "encoder.int8.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"
GGUF_FILE: Final = "model.gguf"

ENCODER_FILES: Final = (FP32_FILE, INT8_FILE, TOKENIZER_FILE)
GENERATOR_FILES: Final = (GGUF_FILE,)
