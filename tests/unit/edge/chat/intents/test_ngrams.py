"""Hashed n-grams: the same text gives the same row, alone or among others; rows have length 1."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge.chat.intents import ngrams

TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=6)


def row(found: ngrams.Ngrams, index: int) -> tuple[list[int], list[float]]:
    part = slice(int(found.starts[index]), int(found.starts[index + 1]))
    return found.buckets[part].tolist(), found.weights[part].tolist()


@given(TEXTS)
def test_a_row_does_not_depend_on_its_neighbours(texts: list[str]) -> None:
    together = ngrams.count(texts)
    for index, text in enumerate(texts):
        assert row(together, index) == row(ngrams.count([text]), 0)


@given(TEXTS)
def test_every_row_is_a_unit_vector_within_the_buckets(texts: list[str]) -> None:
    found = ngrams.weigh(ngrams.count(texts), np.ones(ngrams.BUCKETS, np.float32))
    assert len(found.starts) == len(texts) + 1
    assert found.buckets.min() >= 0
    assert found.buckets.max() < ngrams.BUCKETS
    for index in range(len(texts)):
        assert abs(np.linalg.norm(row(found, index)[1]) - 1) < 1e-5


def test_case_and_spaces_do_not_matter_but_letters_do() -> None:
    one, two, other = ngrams.count(["My card"]), ngrams.count([" my  CARD "]), ngrams.count(["my cart"])
    assert row(one, 0) == row(two, 0)
    assert row(one, 0)[0] != row(other, 0)[0]


def test_only_the_beginning_of_a_long_text_counts() -> None:
    text = "ab " * ngrams.CHARS_MAX
    assert row(ngrams.count([text]), 0) == row(ngrams.count([text + "cd" * 100]), 0)


def test_rare_buckets_tell_more() -> None:
    counted = ngrams.count(["aaaa", "aaaa bbbb", "aaaa cccc"])
    idf = ngrams.rarity(counted)
    everywhere = set(row(counted, 0)[0])
    seen_once = set(row(counted, 1)[0]) - everywhere - set(row(counted, 2)[0])
    assert max(idf[list(everywhere)]) <= min(idf[list(seen_once)])


def test_no_texts_no_rows() -> None:
    found = ngrams.weigh(ngrams.count([]), np.ones(ngrams.BUCKETS, np.float32))
    assert found.starts.tolist() == [0]
