"""The emitted graph against a second implementation, on a small random BERT."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from models.recipes.bert_graph import BertShape, WeightForm, build_bert
from models.recipes.encoder import quantise

from .reference_bert import encode_one, random_weights

SHAPE = BertShape(layers=2, heads=4, dim=32, layer_norm_epsilon=1e-12)
WEIGHTS = random_weights(7, layers=2, dim=32, wide=64, words=50, positions=16)
TEXTS = ([3, 9, 4], [3, 17, 22, 8, 41, 4], [3, 4])


def batch() -> dict[str, np.ndarray]:
    width = max(map(len, TEXTS))
    ids = np.zeros((len(TEXTS), width), np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(TEXTS):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def run(model: bytes) -> tuple[np.ndarray, np.ndarray]:
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["embedding", "token_states"], batch())


def test_the_fp32_graph_computes_what_the_paper_says() -> None:
    embeddings, states = run(build_bert(WEIGHTS, SHAPE, "tiny", WeightForm.FLOAT).SerializeToString())
    for row, text in enumerate(TEXTS):
        expected, expected_states = encode_one(WEIGHTS, text, layers=2, heads=4, epsilon=1e-12)
        np.testing.assert_allclose(embeddings[row], expected, atol=2e-5)
        np.testing.assert_allclose(states[row, : len(text)], expected_states, atol=2e-4)


@pytest.mark.parametrize("form", [WeightForm.INT8_WORDS, WeightForm.INT8_WEIGHTS])
def test_int8_constants_stay_close(form: WeightForm) -> None:
    exact, _ = run(build_bert(WEIGHTS, SHAPE, "tiny", WeightForm.FLOAT).SerializeToString())
    found, _ = run(build_bert(WEIGHTS, SHAPE, "tiny", form).SerializeToString())
    assert np.sum(exact * found, axis=1).min() > 0.999


@pytest.mark.parametrize("reduce_range", [False, True])
def test_quantising_shrinks_the_weights_and_stays_close(tmp_path, reduce_range: bool) -> None:
    onnx.save(build_bert(WEIGHTS, SHAPE, "tiny", WeightForm.INT8_WORDS), tmp_path / "float.onnx")
    quantise(tmp_path / "float.onnx", tmp_path / "int8.onnx", reduce_range=reduce_range)
    products = [node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node]
    assert products.count("MatMulInteger") == 2 * 6
    exact, _ = run((tmp_path / "float.onnx").read_bytes())
    found, _ = run((tmp_path / "int8.onnx").read_bytes())
    assert np.sum(exact * found, axis=1).min() > 0.97


def test_a_missing_tensor_is_named() -> None:
    lacking = {name: value for name, value in WEIGHTS.items() if "layer.1.output.dense.bias" not in name}
    with pytest.raises(KeyError, match=r"layer\.1\.output\.dense\.bias"):
        build_bert(lacking, SHAPE, "tiny", WeightForm.FLOAT)
