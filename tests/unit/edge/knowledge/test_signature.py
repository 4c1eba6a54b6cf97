"""What a chunk's signature tells of its sentences."""

from __future__ import annotations

import pytest

from edge.knowledge import facts
from edge.knowledge.facts import Kind
from edge.knowledge.signature import SENTENCES_MAX, sentences, signature, word_hash, word_hashes

TEXT = "The clinic opens at 9:00. Dogs are not allowed."


def test_each_sentence_has_its_place_its_words_and_what_it_holds() -> None:
    told = sentences(signature("Opening hours", "Saturday", TEXT))
    assert [TEXT[start:end] for start, end in told.spans.tolist()] == [
        "The clinic opens at 9:00.",
        "Dogs are not allowed.",
    ]
    assert told.words_of(0) == word_hashes("Opening hours Saturday")
    assert told.words_of(1) == word_hashes("The clinic opens at 9:00.")
    assert told.words_of(2) == word_hashes("Dogs are not allowed.")
    assert told.held[0] & facts.bit(Kind.TIME)
    assert not told.held[0] & facts.DENIES
    assert told.held[1] & facts.DENIES
    assert told.days.tolist() == [1 << 5, 1 << 5]


def test_a_sentence_that_names_days_does_not_take_those_of_its_heading() -> None:
    told = sentences(signature("", "Saturday", "On Monday and Sunday we rest."))
    assert told.days.tolist() == [1 << 0 | 1 << 6]


@pytest.mark.parametrize("text", ["", " \n "])
def test_a_text_without_a_sentence_has_none(text: str) -> None:
    told = sentences(signature("Title", "", text))
    assert told.spans.shape == (0, 2)
    assert told.words_of(0) == word_hashes("Title")


@pytest.mark.parametrize("lines", [SENTENCES_MAX - 1, SENTENCES_MAX, SENTENCES_MAX + 5])
def test_what_stands_behind_the_last_sentence_that_is_told_apart_is_nobodys(lines: int) -> None:
    text = "\n".join(f"Line of word{number}." for number in range(lines))
    told = sentences(signature("", "", text))
    assert len(told.spans) == min(lines, SENTENCES_MAX)
    owned = {word for owner in range(len(told.spans) + 1) for word in told.words_of(owner)}
    assert (word_hash(f"word{lines - 1}") in owned) == (lines <= SENTENCES_MAX)


def test_words_are_those_of_the_documents_language() -> None:
    german = sentences(signature("", "", "Die Öffnungszeiten der Praxen.", "de"))
    assert german.words_of(1) == word_hashes("Die Öffnungszeiten der Praxen.", "de")
    assert german.words_of(1) != word_hashes("Die Öffnungszeiten der Praxen.")
