"""Special categories by words, and by meaning in English only: the network adds, and belongs to one encoder."""

from __future__ import annotations

import numpy as np
import pytest

from models.detect.special import NOBODY_ABOVE, SpecialModel, SpecialModelUnusable, shipped
from models.detect.special_rules import Category
from models.kind_network import WORD_ROWS, KindNetwork

DIM = 3
UNITS = 2


def network() -> KindNetwork[Category]:
    """The first number of an embedding speaks of health, the second of religion."""
    hidden = np.zeros((DIM + WORD_ROWS, UNITS), np.float32)
    hidden[0, 0] = hidden[1, 1] = 1.0
    return KindNetwork(
        (Category.HEALTH, Category.RELIGION),
        hidden,
        np.zeros(UNITS, np.float32),
        np.eye(UNITS, dtype=np.float32),
        np.array([-0.5, -0.5], np.float32),
        "encoder-a",
    )


MODEL = SpecialModel.load(network().save())
HEALTH, RELIGION, NEITHER = np.eye(DIM, dtype=np.float32)
# Nothing in it for the rules.
SAID = "the doctor was not pleased with what she saw"


def test_a_meaning_is_found_where_words_are_not() -> None:
    assert MODEL.categories(SAID, HEALTH) == {Category.HEALTH}
    assert MODEL.is_special(SAID, RELIGION)
    assert not MODEL.is_special(SAID, NEITHER)
    assert not MODEL.is_special(SAID, 0.5 * HEALTH)  # at the threshold
    assert MODEL.is_special(SAID, 0.51 * HEALTH)


def test_where_nobody_is_mentioned_the_network_must_be_surer() -> None:
    nobody = "there is a letter in the corridor"
    assert not MODEL.is_special(nobody, HEALTH)
    assert not MODEL.is_special(nobody, (0.5 + NOBODY_ABOVE) * HEALTH)  # at the threshold
    assert MODEL.is_special(nobody, (0.51 + NOBODY_ABOVE) * HEALTH)


def test_without_an_embedding_only_words_count() -> None:
    assert not MODEL.is_special(SAID)
    assert MODEL.is_special("I have epilepsy")


def test_the_network_takes_nothing_away() -> None:
    assert MODEL.categories("I have epilepsy", NEITHER) == {Category.HEALTH}
    assert MODEL.categories("I have epilepsy", RELIGION) == {Category.HEALTH}


def test_meaning_counts_in_english_only() -> None:
    assert not MODEL.is_special("der Arzt war nicht froh mit dem was er gesehen hat", HEALTH)


def test_a_damaged_file_is_refused() -> None:
    for content in (b"", network().save()[:100]):
        with pytest.raises(SpecialModelUnusable):
            SpecialModel.load(content)


def test_a_network_of_other_kinds_is_refused() -> None:
    other = KindNetwork(("sorrow", "joy"), *_arrays(network()), "encoder-a")
    with pytest.raises(SpecialModelUnusable):
        SpecialModel.load(other.save())


def _arrays(one: KindNetwork[Category]) -> tuple[np.ndarray, ...]:
    return one.hidden, one.hidden_bias, one.weights, one.bias


def test_the_shipped_one_belongs_to_one_encoder() -> None:
    assert shipped().encoder == "all-minilm-l6-v2"
