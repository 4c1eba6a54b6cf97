"""Passages are read once, remembered while there is room, and the memory is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from edge.chat.answers import reading_ahead
from edge.chat.answers.reading import Reader
from edge.chat.answers.spelling import Speller
from edge.knowledge.document import Audience
from edge.knowledge.search import IndexedChunk, IndexedDocument, Searcher
from edge.knowledge.signature import SENTENCES_MAX
from models.encoder import Encoded
from tests.unit.edge.chat.answers.site import DIM, MODEL, SKIMMING, WordEncoder, passage


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


def test_what_is_skimmed_is_not_encoded_and_takes_little_room() -> None:
    encoder = WordEncoder()
    one = passage("One sentence here. Another one there.")
    skimmed = Reader(encoder, SKIMMING.directions).read([one])[one.chunk_id]
    assert encoder.texts == []
    read = Reader(encoder, MODEL.directions).read([one])[one.chunk_id]
    np.testing.assert_array_equal(skimmed.sentences.spans, read.sentences.spans)
    np.testing.assert_array_equal(skimmed.sentences.words, read.sentences.words)
    assert 0 < skimmed.nbytes < read.nbytes


def test_without_room_everything_is_still_read() -> None:
    reader = Reader(WordEncoder(), MODEL.directions, bytes_max=0)
    one = passage("A sentence stands here.")
    assert len(reader.read([one])[one.chunk_id]) == 1


def test_sentences_of_one_passage_are_bounded() -> None:
    reader = Reader(WordEncoder(), MODEL.directions)
    long = passage("\n".join(f"Line {number}." for number in range(SENTENCES_MAX + 5)))
    reading = reader.read([long])[long.chunk_id]
    assert len(reading) == len(reading.vectors) == SENTENCES_MAX
    assert len(reading.starts) == SENTENCES_MAX + 1


def test_a_passage_without_a_sentence_is_read_as_none() -> None:
    empty = passage(" ")
    assert Reader(WordEncoder(), MODEL.directions).read([empty])[empty.chunk_id].sentences.spans.shape == (
        0,
        2,
    )


def test_a_sentence_without_a_day_has_those_of_its_heading() -> None:
    one = passage("Open from 9:00 to 12:00.", section="Saturday")
    assert Reader(WordEncoder(), MODEL.directions).read([one])[one.chunk_id].sentences.days.tolist() == [
        1 << 5
    ]


async def test_all_that_may_be_found_is_read_ahead_and_what_comes_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading_ahead, "LOOK_EVERY_S", 0.001)
    searcher, encoder = Searcher(DIM), WordEncoder()
    reader, speller = Reader(encoder, MODEL.directions), Speller([], searcher)
    document = IndexedDocument("hours.md", 1, "Opening hours", Audience.PUBLIC)
    vectors = np.ones((1, DIM), np.float16)
    searcher.change((), [IndexedChunk(1, document, "All", "Open from nine.")], vectors)
    reading = asyncio.create_task(reading_ahead.keep_read(lambda: reader, speller, searcher, encoder))
    for chunk_id in (1, 2):
        if chunk_id == 2:
            searcher.change((), [IndexedChunk(2, document, "Later", "Closed at six.")], vectors)
        async with asyncio.timeout(30):
            while reader.unread([chunk_id]):
                await asyncio.sleep(0)
    assert len(encoder.texts) == 2
    reading.cancel()


async def test_where_passages_are_skimmed_only_words_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_ahead, "LOOK_EVERY_S", 0.001)
    searcher, encoder = Searcher(DIM), WordEncoder()
    speller = Speller([], searcher)
    document = IndexedDocument("hours.md", 1, "Opening hours", Audience.PUBLIC)
    searcher.change((), [IndexedChunk(1, document, "All", "Open from nine.")], np.ones((1, DIM), np.float16))
    ahead = reading_ahead.keep_read(lambda: Reader(encoder, SKIMMING.directions), speller, searcher, encoder)
    reading = asyncio.create_task(ahead)
    async with asyncio.timeout(30):
        while speller.mend("oepning", Audience.PUBLIC) != "opening":
            await asyncio.sleep(0)
    assert encoder.texts == []
    reading.cancel()


class Group(WordEncoder):
    """Remembers who was read together."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[int] = []

    def encode(self, texts: Sequence[str], *, groups: Sequence[int] | None = None) -> Encoded:
        self.groups += groups or []
        return super().encode(texts)


def test_each_passage_is_read_apart_from_the_others() -> None:
    encoder = Group()
    pages = [passage("One sentence. Two of them."), passage("A third sentence.", section="Other")]
    Reader(encoder, MODEL.directions).read(pages)
    assert encoder.groups == [2, 1]


def test_what_is_read_ahead_pushes_nothing_out() -> None:
    encoder = WordEncoder()
    pages = [passage(f"Sentence number {number} stands here.", key=number + 1) for number in range(3)]
    size = Reader(encoder, MODEL.directions).read(pages[:1])[1].nbytes
    reader = Reader(encoder, MODEL.directions, bytes_max=2 * size)
    assert [reader.read_ahead(page, encoder) for page in pages] == [True, True, False]
    assert reader.unread([1, 2, 3]) == [3]
