"""Sentences come out of pieces whole, however the pieces are cut."""

from __future__ import annotations

import pytest

from edge.chat.sentence_stream import HELD_CHARS_MAX, SentenceStream, is_whole

TEXT = "It opens at 9 a.m. Monday to Friday. Dr. Osei is in room 2.5 then.\n- Bring your card! Is that all?"
SENTENCES = [
    "It opens at 9 a.m. Monday to Friday.",
    "Dr. Osei is in room 2.5 then.",
    "Bring your card!",
    "Is that all?",
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 200])
def test_pieces_of_any_size(size: int) -> None:
    stream = SentenceStream()
    found = [sentence for at in range(0, len(TEXT), size) for sentence in stream.feed(TEXT[at : at + size])]
    assert found == SENTENCES[: len(found)]
    assert found + stream.rest() == SENTENCES
    assert stream.rest() == []


def test_a_sentence_comes_once_the_next_word_is_whole() -> None:
    stream = SentenceStream()
    assert stream.feed("It opens at 8. ") == []
    assert stream.feed("It") == []
    assert stream.feed(" closes at 5.") == ["It opens at 8."]


@pytest.mark.parametrize(("length", "overfull"), [(HELD_CHARS_MAX, False), (HELD_CHARS_MAX + 1, True)])
def test_what_never_ends_is_seen(length: int, overfull: bool) -> None:
    stream = SentenceStream()
    assert stream.feed("x" * length) == []
    assert stream.overfull is overfull


@pytest.mark.parametrize(
    ("sentence", "whole"),
    [("It opens.", True), ('"It opens."', True), ("It opens", False), ("It opens,", False), ("", False)],
)
def test_is_whole(sentence: str, whole: bool) -> None:
    assert is_whole(sentence) is whole
