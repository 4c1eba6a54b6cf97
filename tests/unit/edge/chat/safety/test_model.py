"""The second stage: as it was saved, refused when damaged, and only for English that asks for no information."""

from __future__ import annotations

import io

import numpy as np
import pytest

from edge.chat.safety.check import SafetyCheck
from edge.chat.safety.kind import Kind
from edge.chat.safety.model import SafetyModel, SafetyModelUnusable, shipped
from edge.config import SafetySection, SiteSection
from models.kind_network import WORD_ROWS, word_rows

DIM = 3
UNITS = 2


def hidden() -> np.ndarray:
    """The first number of an embedding speaks of violence, the second of advice, and so does one word."""
    rows = np.zeros((DIM + WORD_ROWS, UNITS), np.float32)
    rows[0, 0] = rows[1, 1] = rows[DIM + word_rows(["invest"]), 1] = 1.0
    return rows


MODEL = SafetyModel(
    (Kind.VIOLENCE, Kind.ADVICE),
    hidden(),
    np.zeros(UNITS, np.float32),
    np.eye(UNITS, dtype=np.float32),
    np.array([-0.5, -0.75], np.float32),
    "encoder-a",
)
VIOLENCE, ADVICE, NEITHER = np.eye(DIM, dtype=np.float32)
SITE = SiteSection(name="Riverside Clinic", id="riverside")


def saved(**changed: np.ndarray) -> bytes:
    with np.load(io.BytesIO(MODEL.save())) as arrays:
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, **changed})
    return buffer.getvalue()


def test_the_likeliest_kind_above_nought() -> None:
    assert MODEL.kind(VIOLENCE, []) is Kind.VIOLENCE
    assert MODEL.kind(ADVICE, []) is Kind.ADVICE
    assert MODEL.kind(NEITHER, []) is None
    assert MODEL.kind(0.5 * VIOLENCE, []) is None  # at the threshold
    assert MODEL.kind(0.51 * VIOLENCE, []) is Kind.VIOLENCE
    assert MODEL.kind(VIOLENCE + ADVICE, []) is Kind.VIOLENCE


def test_words_count_once_each_and_less_among_others() -> None:
    assert MODEL.kind(NEITHER, ["invest", "invest"]) is Kind.ADVICE
    assert MODEL.kind(NEITHER, ["invest", "in", "a", "library"]) is None
    assert MODEL.kind(0.5 * ADVICE, ["invest", "in", "a", "library"]) is Kind.ADVICE


def test_saved_is_loaded_as_it_was() -> None:
    loaded = SafetyModel.load(MODEL.save())
    assert (loaded.kinds, loaded.encoder) == (MODEL.kinds, MODEL.encoder)
    for name in ("hidden", "hidden_bias", "weights", "bias"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(MODEL, name))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04nonsense",
        MODEL.save()[:100],
        saved(bias=np.zeros(3, np.float32)),
        saved(weights=np.zeros((UNITS, 3), np.float32)),
        saved(hidden=np.zeros((WORD_ROWS, UNITS), np.float16)),
        saved(hidden=np.zeros((DIM + WORD_ROWS, 3), np.float16)),
        saved(bias=np.array([np.nan, 0.0], np.float32)),
        saved(head=np.frombuffer(b'{"kinds": ["sorrow", "advice"], "encoder": "a"}', np.uint8)),
        saved(head=np.frombuffer(b"[]", np.uint8)),
    ],
)
def test_a_damaged_file_is_refused(content: bytes) -> None:
    with pytest.raises(SafetyModelUnusable):
        SafetyModel.load(content)


def test_the_shipped_one_belongs_to_one_encoder() -> None:
    model = shipped()
    assert model.encoder == "all-minilm-l6-v2"
    assert Kind.SITE not in model.kinds
    assert len(model.hidden) == 384 + WORD_ROWS


def test_a_meaning_brings_the_card_of_its_kind() -> None:
    card = SafetyCheck(SITE, SafetySection(), MODEL).check_meaning(
        "he is like this every evening", VIOLENCE, MODEL.encoder
    )
    assert card is not None
    assert (card.kind, card.language) == (Kind.VIOLENCE, "en")


@pytest.mark.parametrize(
    ("text", "embedding"),
    [
        ("where can I park", NEITHER),
        ("er ist jeden Abend so zu mir", VIOLENCE),
        ("is there a leaflet about angry people", VIOLENCE),
    ],
)
def test_no_card_by_meaning(text: str, embedding: np.ndarray) -> None:
    assert SafetyCheck(SITE, SafetySection(), MODEL).check_meaning(text, embedding, MODEL.encoder) is None


def test_vectors_of_another_encoder_mean_nothing_to_it() -> None:
    check = SafetyCheck(SITE, SafetySection(), MODEL)
    said = "he is like this every evening"
    assert check.check_meaning(said, VIOLENCE, "another") is None
    assert check.check_meaning(said, np.ones(7, np.float32), "another") is None


def test_without_a_model_only_words_count() -> None:
    said = "he is like this every evening"
    assert SafetyCheck(SITE, SafetySection()).check_meaning(said, VIOLENCE, MODEL.encoder) is None
