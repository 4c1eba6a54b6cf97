"""A BERT encoder with mean pooling as an ONNX graph of standard operators, emitted from plain arrays.

From one pass: `embedding` (mean of the token states, L2-normalised), `token_states`, and the states after each lower
layer (`layer0` …), which are computed anyway and copied only for who asks for them. Not an
exporter: it needs no framework and knows this one architecture (Devlin et al. 2018, post-layer-norm).

Measured forms (ONNX Runtime 1.31, int8, 2 AVX512-VNNI cores, interleaved, batches of 32): separate Q, K, V with
reshapes 1.00; one fused QKV product .97 (the quantiser already shares one quantised input among the three, and
the split costs a copy); the `Attention` operator 1.11; that with residuals that the runtime does not fuse 1.30.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.runtimes.port import LAYER, STATES

Floats = npt.NDArray[np.float32]

OPSET: Final = 23
"""First opset with `Attention` as an operator."""

IR_VERSION: Final = 11
"""The file format that belongs to opset 23."""

INT8_LIMIT: Final = 127
"""Symmetric int8: -127…127, so that negation stays in range."""


_TENSORS: Final = "encoder.layer.{}"
"""How BERT's tensors of a layer begin."""


@dataclass(frozen=True)
class BertShape:
    """The sizes of one BERT encoder."""

    layers: int
    heads: int
    dim: int
    layer_norm_epsilon: float


class WeightForm(Enum):
    """How the constants are stored; activations are always float here."""

    FLOAT = "float"
    """All in fp32: the reference."""
    INT8_WORDS = "int8 words"
    """The word table int8 with one scale a row: 35 MB less memory, at a cosine of .9999 to fp32."""
    INT8_WEIGHTS = "int8 weights"
    """That, and every weight int8 with one scale a column, followed by DequantizeLinear: OpenVINO's own form."""


@dataclass
class GraphParts:
    """Collects nodes and constants; every method returns the name of its output."""

    weights: Mapping[str, Floats]
    epsilon: float
    form: WeightForm
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, out: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [out], name=out, **attributes))
        return out

    def linear(self, x: str, source: str, out: str) -> str:
        weight = self._weight(self.weights[f"{source}.weight"].T, f"{out}.weight")
        product = self.op("MatMul", x, weight, out=f"{out}.product")
        return self.op("Add", product, self.constant(f"{out}.bias", self.weights[f"{source}.bias"]), out=out)

    def _weight(self, weight: Floats, name: str) -> str:
        if self.form is not WeightForm.INT8_WEIGHTS:
            return self.constant(name, weight)
        whole, scale = _to_int8(weight, axis=0)
        stored = self.constant(f"{name}.int8", whole)
        zero = self.constant(f"{name}.zero", np.zeros(weight.shape[1], np.int8))
        return self.op(
            "DequantizeLinear", stored, self.constant(f"{name}.scale", scale[0]), zero, out=name, axis=1
        )

    def layer_norm(self, x: str, source: str, out: str) -> str:
        scale = self.constant(f"{out}.scale", self.weights[f"{source}.weight"])
        shift = self.constant(f"{out}.shift", self.weights[f"{source}.bias"])
        return self.op("LayerNormalization", x, scale, shift, out=out, axis=-1, epsilon=self.epsilon)

    def residual(self, x: str, y: str, out: str) -> str:
        """x + y, as `Sum`: ONNX Runtime fuses `Add` and LayerNormalization into a kernel that is 4x slower."""
        return self.op("Sum", x, y, out=out)


def build_bert(
    weights: Mapping[str, Floats], shape: BertShape, name: str, form: WeightForm
) -> onnx.ModelProto:
    """The whole graph; `weights` has the usual BERT tensor names. Raises KeyError if one is missing."""
    graph = GraphParts(weights, shape.layer_norm_epsilon, form)
    mask = graph.op("Cast", "attention_mask", out="mask", to=TensorProto.FLOAT)
    visible = visible_pairs(graph, mask)
    x = _embeddings(graph)
    for layer in range(shape.layers):
        last = layer == shape.layers - 1
        out = STATES if last else f"{LAYER}{layer}"
        x = transformer_layer(graph, x, visible, _TENSORS.format(layer), f"l{layer}", shape.heads, out)
    _pool(graph, x, mask)
    return _model(graph, shape, name)


def visible_pairs(graph: GraphParts, mask: str) -> str:
    """[batch, 1, tokens, tokens], true where the column is a real token: the operator does not broadcast rows."""
    columns = graph.op(
        "Unsqueeze", mask, graph.constant("axes.columns", np.array([1, 2])), out="mask.columns"
    )
    rows = graph.op("Unsqueeze", mask, graph.constant("axes.rows", np.array([1, 3])), out="mask.rows")
    every_row = graph.op("Equal", rows, rows, out="mask.every_row")
    real = graph.op("Cast", columns, out="mask.real", to=TensorProto.BOOL)
    return graph.op("And", real, every_row, out="mask.pairs")


def _embeddings(graph: GraphParts) -> str:
    weights = graph.weights
    words = _words(graph)
    # Every token is of type 0 here, so that row is folded into the positions.
    table = (
        weights["embeddings.position_embeddings.weight"]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    tokens = graph.op("Shape", "input_ids", out="tokens", start=1, end=2)
    zero = graph.constant("zero", np.array([0]))
    positions = graph.op(
        "Slice", graph.constant("positions.table", table), zero, tokens, zero, out="positions"
    )
    return graph.layer_norm(graph.residual(words, positions, "embedded"), "embeddings.LayerNorm", "layer_in")


def _words(graph: GraphParts) -> str:
    table = graph.weights["embeddings.word_embeddings.weight"]
    if graph.form is WeightForm.FLOAT:
        return graph.op("Gather", graph.constant("words.table", table), "input_ids", out="words")
    whole, scale = _to_int8(table, axis=1)
    rows = graph.constant("words.table", whole)
    scales = graph.constant("words.scale", scale)
    gathered = graph.op("Gather", rows, "input_ids", out="words.int8")
    as_float = graph.op("Cast", gathered, out="words.float", to=TensorProto.FLOAT)
    return graph.op("Mul", as_float, graph.op("Gather", scales, "input_ids", out="words.scales"), out="words")


def _to_int8(values: Floats, axis: int) -> tuple[npt.NDArray[np.int8], Floats]:
    """Symmetric int8 and the scales, one for each slice along the other axis (kept as a dimension of 1)."""
    largest = np.abs(values).max(axis=axis, keepdims=True)
    scale = np.maximum(largest / INT8_LIMIT, np.finfo(np.float32).tiny).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale


def transformer_layer(
    graph: GraphParts, x: str, visible: str, source: str, name: str, heads: int, out: str
) -> str:
    """A layer whose tensors are called `source`.attention… as BERT's are; `name` begins the names of its nodes."""
    q, k, v = (
        graph.linear(x, f"{source}.attention.self.{role}", f"{name}.{role}")
        for role in ("query", "key", "value")
    )
    context = graph.op(
        "Attention", q, k, v, visible, out=f"{name}.context", q_num_heads=heads, kv_num_heads=heads
    )
    attended = graph.linear(context, f"{source}.attention.output.dense", f"{name}.attended")
    x = graph.layer_norm(
        graph.residual(attended, x, f"{name}.sum1"), f"{source}.attention.output.LayerNorm", f"{name}.norm1"
    )
    wide = graph.op(
        "Gelu", graph.linear(x, f"{source}.intermediate.dense", f"{name}.wide"), out=f"{name}.gelu"
    )
    narrow = graph.linear(wide, f"{source}.output.dense", f"{name}.narrow")
    return graph.layer_norm(graph.residual(narrow, x, f"{name}.sum2"), f"{source}.output.LayerNorm", out)


def _pool(graph: GraphParts, states: str, mask: str) -> None:
    """The L2 norm cancels the division by the number of tokens, so the sum is enough."""
    axis = graph.constant("axes.pool", np.array([1]))
    total = graph.op("MatMul", graph.op("Unsqueeze", mask, axis, out="mask.pool"), states, out="total")
    graph.op("LpNormalization", graph.op("Squeeze", total, axis, out="pooled"), out="embedding", axis=-1, p=2)


def _model(graph: GraphParts, shape: BertShape, name: str) -> onnx.ModelProto:
    ids, floats = TensorProto.INT64, TensorProto.FLOAT
    value = helper.make_tensor_value_info
    inputs = [value(which, ids, ["batch", "tokens"]) for which in ("input_ids", "attention_mask")]
    outputs = [
        value("embedding", floats, ["batch", shape.dim]),
        value(STATES, floats, ["batch", "tokens", shape.dim]),
        *(
            value(f"{LAYER}{layer}", floats, ["batch", "tokens", shape.dim])
            for layer in range(shape.layers - 1)
        ),
    ]
    body = helper.make_graph(graph.nodes, name, inputs, outputs, graph.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="postern"
    )
    onnx.checker.check_model(model)
    return model
