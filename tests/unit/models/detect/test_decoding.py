"""Scores of tokens become spans: the likeliest labels together, whole words, no change of mind within a word."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detect.decoding import BESIDE, Labels, decode
from models.detect.tagger import Tagged

LABELS = Labels(("O", "B-PERSON", "I-PERSON", "B-LOCATION", "I-LOCATION"))
NOTHING, PERSON, MORE_PERSON, PLACE, MORE_PLACE = range(5)
SURE = 4.0


def tagged(text: str, *labels: int, pieces: list[tuple[int, int]] | None = None) -> Tagged:
    """Words (or `pieces`) with a high score for one label each."""
    offsets = pieces or words(text)
    scores = np.zeros((len(offsets), len(LABELS.names)), np.float32)
    scores[np.arange(len(offsets)), labels] = SURE
    return Tagged(np.array(offsets, np.int32), scores)


def words(text: str) -> list[tuple[int, int]]:
    ends = [len(" ".join(text.split(" ")[: count + 1])) for count in range(len(text.split(" ")))]
    return [(end - len(word), end) for word, end in zip(text.split(" "), ends, strict=True)]


def found(text: str, given: Tagged, labels: Labels = LABELS) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in decode(labels, text, given)]


def test_a_value_goes_on_over_its_tokens() -> None:
    text = "ask Ada Lovelace in London"
    given = tagged(text, NOTHING, PERSON, MORE_PERSON, NOTHING, PLACE)
    assert found(text, given) == [("PERSON", "Ada Lovelace"), ("LOCATION", "London")]


def test_nothing_is_nothing() -> None:
    assert found("a b c", tagged("a b c", NOTHING, NOTHING, NOTHING)) == []
    assert decode(LABELS, "", Tagged(np.empty((0, 2), np.int32), np.empty((0, 5), np.float32))) == []


def test_a_value_goes_on_only_as_what_it_began_as() -> None:
    text = "Mikael Horn"
    scores = np.array([[0, 2.0, 0, 2.2, 0], [0, 0.5, 4.0, 0, 0]], np.float32)
    assert found(text, Tagged(np.array(words(text), np.int32), scores)) == [("PERSON", "Mikael Horn")]


def test_pieces_of_a_word_are_of_one_value() -> None:
    text = "Hajdukova"
    given = tagged(text, PERSON, PLACE, MORE_PERSON, pieces=[(0, 4), (4, 7), (7, 9)])
    assert [name for _, name in found(text, given)] == ["Hajdukova"]


def test_a_span_is_stretched_to_the_word_but_not_over_signs() -> None:
    text = "x@Anna's"
    assert found(text, tagged(text, PERSON, pieces=[(2, 4)])) == [("PERSON", "Anna")]


def test_accents_of_their_own_belong_to_the_word() -> None:
    text = "x Mu\u0308ller"
    for pieces in ([(2, 4)], [(4, 9)], [(2, 3), (5, 9)]):
        given = tagged(text, *[PERSON] * len(pieces), pieces=pieces)
        assert found(text, given) == [("PERSON", "Mu\u0308ller")]
    # Pieces that meet at the accent are of one word, and of one value.
    assert found(text, tagged(text, PERSON, PLACE, pieces=[(2, 4), (4, 9)])) != []
    assert len(found(text, tagged(text, PERSON, PLACE, pieces=[(2, 4), (5, 9)]))) == 1


def test_signs_alone_are_no_value() -> None:
    assert found("-- a", tagged("-- a", PERSON, NOTHING)) == []


@pytest.mark.parametrize(("caution", "expected"), [(1.0, []), (1.5, ["Rose"])])
def test_caution_finds_what_is_less_likely_than_nothing(caution: float, expected: list[str]) -> None:
    scores = np.array([[1.25, 0, 0, 0, 0]], np.float32)
    labels = Labels(LABELS.names, caution=caution)
    assert [
        name for _, name in found("Rose", Tagged(np.array([[0, 4]], np.int32), scores), labels)
    ] == expected


def test_a_score_is_the_share_that_is_not_nothing() -> None:
    scores = np.array([[0.0, SURE, 0, 0, 0]], np.float32)
    (span,) = decode(LABELS, "Rose", Tagged(np.array([[0, 4]], np.int32), scores))
    assert span.score == pytest.approx(1 - 1 / (np.exp(SURE) + 4), abs=1e-3)


@given(st.lists(st.lists(st.floats(-3, 3, width=16), min_size=5, max_size=5), min_size=1, max_size=5))
def test_no_other_labels_are_likelier_together(rows: list[list[float]]) -> None:
    """Against every path that obeys the rules, counted out."""
    scores = np.array(rows, np.float32)
    text = " ".join("word" for _ in rows)
    given = Tagged(np.array(words(text), np.int32), scores)
    best = max(_worth(path, scores) for path in itertools.product(range(5), repeat=len(rows)))
    path = _path(text, given)
    assert _worth(path, scores) == pytest.approx(best, abs=1e-4)


def _path(text: str, given: Tagged) -> tuple[int, ...]:
    path = [NOTHING] * len(given.offsets)
    for span in decode(LABELS, text, given):
        begin = PERSON if span.type == "PERSON" else PLACE
        inside = [token for token, (start, _) in enumerate(given.offsets) if span.start <= start < span.end]
        path[inside[0]] = begin
        for token in inside[1:]:
            path[token] = begin + 1
    return tuple(path)


def _worth(path: tuple[int, ...], scores: np.ndarray) -> float:
    worth, before = 0.0, NOTHING
    for label, row in zip(path, scores, strict=True):
        if label in {MORE_PERSON, MORE_PLACE} and before not in {label - 1, label}:
            return -np.inf
        if label in {PERSON, PLACE} and before != NOTHING:
            worth -= BESIDE
        worth += float(row[label])
        before = label
    return worth
