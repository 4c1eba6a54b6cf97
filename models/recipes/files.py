"""The names of the files that a recipe leaves behind. No code: the runtime side reads these without the recipes."""

from __future__ import annotations

from typing import Final

FP32_FILE: Final = "encoder.fp32.onnx"
INT8_FILE: Final = "encoder.int8.onnx"
INT8_WEIGHTS_FILE: Final = "encoder.int8-weights.onnx"
TOKENIZER_FILE: Final = "tokenizer.json"

ENCODER_FILES: Final = (FP32_FILE, INT8_FILE, INT8_WEIGHTS_FILE, TOKENIZER_FILE)
RUNTIME_FILES: Final = {"onnxruntime": INT8_FILE, "openvino": INT8_WEIGHTS_FILE}
"""Which of them each runtime serves."""

LLM_MODEL: Final = "openvino_model.xml"
LLM_FILES: Final = tuple(
    f"openvino_{part}.{suffix}" for part in ("model", "tokenizer", "detokenizer") for suffix in ("xml", "bin")
)
"""The names that OpenVINO GenAI looks for in a folder."""
