"""fp32 ONNX → fp16 ONNX, for GPUs: every constant, sum and product in half precision, the outputs in fp32 as ever.

Made on the machine that has the GPU (`models.tune`), from the fp32 reference; the gate then judges it like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SUFFIX: Final = ".half"


def make_half(source: Path, target: Path) -> None:
    """Write `target`. Sums of squares stay below fp16's 65,504: LayerNormalization keeps its own in fp32."""
    model = onnx.load(source)
    graph = model.graph
    for constant in graph.initializer:
        if constant.data_type == TensorProto.FLOAT:
            halved = numpy_helper.to_array(constant).astype(np.float16)
            constant.CopyFrom(numpy_helper.from_array(halved, constant.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    _widen(graph)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _widen(graph: onnx.GraphProto) -> None:
    """Outputs under their names in fp32, computed under another in fp16; whoever reads them inside reads that."""
    for output in graph.output:
        inner = f"{output.name}{_SUFFIX}"
        for node in graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    if name == output.name:
                        names[index] = inner
        graph.node.append(
            helper.make_node("Cast", [inner], [output.name], name=f"{output.name}.wide", to=TensorProto.FLOAT)
        )
