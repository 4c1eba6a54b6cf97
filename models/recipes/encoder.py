"""The encoder's recipe: safetensors → fp32 ONNX (the reference) → int8 ONNX, in two forms. No framework needed.

Weights are int8 with one scale a column; activations are quantised as they come: by operators in the file for ONNX
Runtime, by the runtime itself for OpenVINO, which ran ONNX Runtime's form at a third of the speed of its own.
Whether the result is good is for `models.evaluate` to say.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from safetensors.numpy import load

from models.catalog import EncoderEntry
from models.errors import ModelBuildFailed
from models.machine import Machine
from models.progress import Report
from models.recipes.bert_graph import BertShape, Floats, WeightForm, build_bert
from models.recipes.files import FP32_FILE, INT8_FILE, INT8_WEIGHTS_FILE, TOKENIZER_FILE
from models.recipes.wheel import read_wheel_file

_STEPS: Final = 4


def make_encoder(
    entry: EncoderEntry, wheel: Path, folder: Path, machine: Machine, report: Report
) -> dict[str, str]:
    """Write the encoder's files into `folder` and return the decisions taken. Raises ModelBuildFailed."""
    what = f"Building {entry.name}"
    report(what, 0, _STEPS)
    weights = _weights(entry, wheel)
    (folder / TOKENIZER_FILE).write_bytes(read_wheel_file(wheel, entry.file("tokenizer")))
    report(what, 1, _STEPS)
    sizes = entry.bert
    if sizes is None:
        raise ModelBuildFailed(f"{entry.name}: the catalogue does not say how large its layers are.")
    shape = BertShape(
        layers=sizes.layers,
        heads=sizes.heads,
        dim=entry.shape.dim,
        layer_norm_epsilon=sizes.layer_norm_epsilon,
    )
    onnx.save(_graph(weights, shape, entry.name, WeightForm.FLOAT), folder / FP32_FILE)
    report(what, 2, _STEPS)
    float_file = folder / "encoder.words8.onnx"
    onnx.save(_graph(weights, shape, entry.name, WeightForm.INT8_WORDS), float_file)
    onnx.save(_graph(weights, shape, entry.name, WeightForm.INT8_WEIGHTS), folder / INT8_WEIGHTS_FILE)
    report(what, 3, _STEPS)
    quantise(float_file, folder / INT8_FILE, reduce_range=machine.needs_reduced_range)
    float_file.unlink()
    report(what, _STEPS, _STEPS)
    return {
        "reduce_range": str(machine.needs_reduced_range).lower(),
        "reduce_range_why": f"flags {' '.join(machine.flags) or 'none'}",
        "weights": "int8, one scale a column",
        "words": "int8, one scale a row",
    }


def quantise(source: Path, target: Path, *, reduce_range: bool) -> None:
    """Replace every product with a constant by its int8 form."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises a preparation step that changes nothing for this graph
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=reduce_range,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)


def _weights(entry: EncoderEntry, wheel: Path) -> dict[str, Floats]:
    tensors = load(read_wheel_file(wheel, entry.file("weights")))
    return {name: tensor for name, tensor in tensors.items() if tensor.dtype == np.float32}


def _graph(weights: dict[str, Floats], shape: BertShape, name: str, form: WeightForm) -> onnx.ModelProto:
    try:
        return build_bert(weights, shape, name, form)
    except KeyError as error:
        raise ModelBuildFailed(f"{name}: the weights lack the tensor {error}.") from error
