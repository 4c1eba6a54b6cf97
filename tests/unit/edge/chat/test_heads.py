"""What was fitted on the default encoder never judges the vectors of another one."""

from __future__ import annotations

import numpy as np

from edge.chat import heads
from edge.chat.answers.model import OF_MEANING
from edge.knowledge import ranking
from edge.knowledge.features import FEATURES
from models.catalog import DEFAULT_ENCODER
from models.encoder import ModelInfo

OURS = ModelInfo(DEFAULT_ENCODER, "1", "onnxruntime", "CPU", "00", space="11")
OTHER = ModelInfo("our-encoder", "1", "onnxruntime", "CPU", "22", space="33")


def test_the_default_encoder_has_all_of_it() -> None:
    found = heads.heads_for(OURS, skims=False)
    assert not found.answers.skims
    assert found.ranking is ranking.shipped()
    assert heads.mark(OURS) == ""


def test_another_encoder_has_answers_by_words_and_a_plain_order() -> None:
    found = heads.heads_for(OTHER, skims=False)
    assert found.answers.skims
    assert found.answers.encoder == heads.mark(OTHER) == "33"
    for part in (found.answers.sentence, found.answers.question):
        weights = dict(zip(part.names, part.weights.tolist(), strict=True))
        assert not any(weights[name] for name in OF_MEANING & weights.keys())
        assert any(weights.values())
        # A cosine of any size says the same.
        row = part.mean[None].repeat(2, axis=0)
        row[1, [name in OF_MEANING for name in part.names]] += 5.0
        assert np.ptp(part.log_odds(row)) == 0


def test_the_plain_order_does_not_depend_on_the_size_of_cosines() -> None:
    table = np.zeros((3, len(FEATURES)))
    table[:, FEATURES.index("cosine_place")] = [1, 1 / 2, 1 / 3]
    table[:, FEATURES.index("bm25")] = [0.0, 1.0, 0.2]
    scores = ranking.PLAIN.score(table)
    table[:, FEATURES.index("cosine")] = [0.99, 0.98, 0.97]
    assert ranking.PLAIN.score(table).tolist() == scores.tolist()
    assert scores.argmax() == 1


def test_a_learnt_ranking_says_whose_it_is() -> None:
    own = ranking.RankingModel(ranking.PLAIN.weights, 0.1, "33")
    assert ranking.RankingModel.from_json(own.to_json()).encoder == "33"
    assert ranking.shipped().encoder == ""
