"""The tagger's network as an ONNX graph of the encoder's own building blocks, from plain arrays.

Transformer layers beside the frozen encoder (ladder side-tuning, Sung et al. 2022): each rung reads the states after
some of the encoder's layers and what the rung below made of the tokens, the lowest also the tokens' features
(`models.detect.shape`). The encoder's vectors stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import TensorProto, helper

from models.detect.shape import FEATURES
from models.recipes.bert_graph import (
    IR_VERSION,
    OPSET,
    Floats,
    GraphParts,
    WeightForm,
    transformer_layer,
    visible_pairs,
)

METADATA = "postern.tagger"
LAYER_NORM_EPSILON = 1e-12  # BERT's own


@dataclass(frozen=True)
class Rungs:
    """The sizes of a tagger: of each rung which of the encoder's layers it reads, from 1."""

    reads: tuple[tuple[int, ...], ...]
    dim: int
    wide: int
    heads: int
    encoder_dim: int = 384


def build_tagger(
    weights: Mapping[str, Floats], rungs: Rungs, labels: Sequence[str], metadata: Mapping[str, object]
) -> onnx.ModelProto:
    """Inputs `layer1` …, `features`, `attention_mask`; output `scores` [batch, tokens, labels], logits."""
    graph = GraphParts(weights, LAYER_NORM_EPSILON, WeightForm.FLOAT)
    mask = graph.op("Cast", "attention_mask", out="mask", to=TensorProto.FLOAT)
    visible = visible_pairs(graph, mask)
    x = graph.linear("features", "features", "seen")
    for number, reads in enumerate(rungs.reads):
        names = [f"layer{layer}" for layer in reads]
        joined = graph.op("Concat", *names, out=f"r{number}.read", axis=-1) if len(names) > 1 else names[0]
        told = graph.linear(joined, f"rung.{number}.down", f"r{number}.down")
        x = graph.layer_norm(
            graph.residual(told, x, f"r{number}.sum"), f"rung.{number}.norm", f"r{number}.norm"
        )
        x = transformer_layer(
            graph, x, visible, f"rung.{number}.layer", f"r{number}", rungs.heads, out=f"r{number}"
        )
    graph.linear(x, "labels", "scores")
    return _model(graph, rungs, labels, metadata)


def _model(
    graph: GraphParts, rungs: Rungs, labels: Sequence[str], metadata: Mapping[str, object]
) -> onnx.ModelProto:
    floats, value = TensorProto.FLOAT, helper.make_tensor_value_info
    read = sorted({layer for rung in rungs.reads for layer in rung})
    inputs = [
        *(value(f"layer{layer}", floats, ["batch", "tokens", rungs.encoder_dim]) for layer in read),
        value("features", floats, ["batch", "tokens", FEATURES]),
        value("attention_mask", TensorProto.INT64, ["batch", "tokens"]),
    ]
    outputs = [value("scores", floats, ["batch", "tokens", len(labels)])]
    body = helper.make_graph(graph.nodes, "tagger", inputs, outputs, graph.constants)
    model = helper.make_model(
        body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="postern"
    )
    helper.set_model_props(model, {METADATA: json.dumps({"labels": list(labels), **metadata})})
    onnx.checker.check_model(model)
    return model
