"""Passages are read once, remembered while there is room, and the memory is bounded."""

from __future__ import annotations

from edge.chat.answers.reading import SENTENCES_MAX, Reader
from tests.unit.edge.chat.answers.site import MODEL, WordEncoder, passage


def test_what_was_read_is_not_encoded_again() -> None:
    encoder = WordEncoder()
    reader = Reader(encoder, MODEL.directions)
    one = passage("One sentence here. Another one there.")
    first = reader.read([one, one])
    assert len(encoder.texts) == 2
    assert reader.read([one])[one.chunk_id] is first[one.chunk_id]
    assert len(encoder.texts) == 2


def test_the_least_used_goes_when_there_is_no_room() -> None:
    encoder = WordEncoder()
    pages = [passage(f"Sentence number {number} stands here.", key=number + 1) for number in range(3)]
    size = Reader(encoder, MODEL.directions).read(pages[:1])[1].nbytes
    reader = Reader(encoder, MODEL.directions, bytes_max=2 * size)
    reader.read(pages[:2])
    reader.read(pages[:1])
    reader.read(pages[2:])
    before = len(encoder.texts)
    reader.read([pages[0], pages[2]])
    assert len(encoder.texts) == before
    reader.read(pages[1:2])
    assert len(encoder.texts) == before + 1


def test_without_room_everything_is_still_read() -> None:
    reader = Reader(WordEncoder(), MODEL.directions, bytes_max=0)
    one = passage("A sentence stands here.")
    assert len(reader.read([one])[one.chunk_id].sentences) == 1


def test_sentences_of_one_passage_are_bounded() -> None:
    reader = Reader(WordEncoder(), MODEL.directions)
    long = passage("\n".join(f"Line {number}." for number in range(SENTENCES_MAX + 5)))
    reading = reader.read([long])[long.chunk_id]
    assert len(reading.sentences) == len(reading.vectors) == SENTENCES_MAX
    assert len(reading.starts) == SENTENCES_MAX + 1


def test_a_passage_without_a_sentence_is_read_as_none() -> None:
    empty = passage(" ")
    assert Reader(WordEncoder(), MODEL.directions).read([empty])[empty.chunk_id].sentences == ()


def test_a_sentence_without_a_day_has_those_of_its_heading() -> None:
    one = passage("Open from 9:00 to 12:00.", section="Saturday")
    assert Reader(WordEncoder(), MODEL.directions).read([one])[one.chunk_id].sentences[0].days == {5}
