"""What the tokenizer throws away is still there as features."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detect.shape import FEATURES, features, features_of_batch


def of(text: str, start: int, end: int) -> set[int]:
    rows = features(text, np.array([[0, 0], [start, end]], np.int32))
    assert not rows[0].any()
    return set(np.flatnonzero(rows[1]))


@pytest.mark.parametrize(
    ("text", "start", "end", "present", "absent"),
    [
        ("may", 0, 3, {1, 8, 27, 28, 29, 30, 31}, {0, 9, 10}),
        ("May", 0, 3, {0, 9}, {1, 8}),
        ("MAY", 0, 3, {0, 10}, {9}),
        ("McKay", 0, 5, {9, 11}, {10}),
        ("(Ada)", 1, 4, {0, 9}, {27, 28, 10}),
        ("house 1234567", 6, 13, {3, 12, 13, 14}, {15, 16, 18, 26}),
        ("a@b.c", 0, 1, {17, 18}, {19}),
        ("Zoë", 0, 3, {25}, {26}),
        ("B12", 0, 3, {26}, {25}),
        ("one\ntwo", 4, 7, {29, 30}, {31}),
        ("Hi. There", 4, 9, {31, 27}, {29}),
    ],
)
def test_a_token_knows_how_it_was_written(
    text: str, start: int, end: int, present: set[int], absent: set[int]
) -> None:
    found = of(text, start, end)
    assert present <= found
    assert not absent & found


@given(st.text(), st.data())
def test_any_text_has_features(text: str, data: st.DataObject) -> None:
    length = len(text)
    start = data.draw(st.integers(0, length))
    end = data.draw(st.integers(start, length))
    rows = features(text, np.array([[start, end]], np.int32))
    assert rows.shape == (1, FEATURES)
    assert set(np.unique(rows)) <= {0.0, 1.0}


@given(st.lists(st.text(), min_size=1, max_size=4), st.data())
def test_a_batch_is_its_texts_one_by_one(texts: list[str], data: st.DataObject) -> None:
    offsets = []
    for text in texts:
        # A token stands on what is no blank: tokenizers leave blanks out.
        places = [place for place, letter in enumerate(text) if not letter.isspace()]
        chosen = sorted(data.draw(st.lists(st.sampled_from(places), max_size=3))) if places else []
        offsets.append(np.array([(0, 0), *((place, place + 1) for place in chosen)], np.int32))
    together = features_of_batch(texts, offsets, 5)
    for text, places, rows in zip(texts, offsets, together, strict=True):
        np.testing.assert_array_equal(rows[: len(places)], features(text, places))
        assert not rows[len(places) :].any()
