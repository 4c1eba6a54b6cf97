"""The weights: as they were saved, and refused when they do not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge.chat.answers.features import QUESTION_FEATURES
from edge.chat.answers.model import AnswerModel, AnswerModelUnusable, Linear, shipped
from tests.unit.edge.chat.answers.site import MODEL


def test_saved_is_loaded_as_it_was() -> None:
    loaded = AnswerModel.load(MODEL.save())
    np.testing.assert_allclose(loaded.directions, MODEL.directions)
    np.testing.assert_array_equal(loaded.sentence.weights, MODEL.sentence.weights)
    assert (loaded.question.bias, loaded.encoder) == (MODEL.question.bias, MODEL.encoder)
    assert loaded.tokens.met_from == pytest.approx(MODEL.tokens.met_from)


@pytest.mark.parametrize("skims", [False, True])
def test_the_shipped_ones_fit_this_release(skims: bool) -> None:
    model = shipped(skims=skims)
    assert model.encoder == shipped().encoder
    assert model.skims is skims
    assert model.directions.shape[1] == len(model.tokens.share) == len(model.tokens.need)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", MODEL.save()[:200]])
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(AnswerModelUnusable):
        AnswerModel.load(content)


@pytest.mark.parametrize(
    "change",
    [
        {"names": ["other"]},
        {"weights": [1.0]},
        {"scale": [0.0] * len(QUESTION_FEATURES)},
        {"bias": float("nan")},
        {"mean": ["x"]},
        {"mean": None},
    ],
)
def test_weights_that_do_not_fit_are_refused(change: dict[str, object]) -> None:
    good = MODEL.question.to_json()
    assert Linear.from_json(json.dumps(good).encode(), QUESTION_FEATURES).bias == MODEL.question.bias
    with pytest.raises(AnswerModelUnusable):
        Linear.from_json(json.dumps({**good, **change}).encode(), QUESTION_FEATURES)
