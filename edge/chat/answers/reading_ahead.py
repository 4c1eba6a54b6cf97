"""What documents bring is looked at before anybody asks: a first question then costs no more than the second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.chat.answers.reading import Reader, StateEncoder
from edge.chat.answers.spelling import Speller
from edge.knowledge.search import Searcher

# Documents are added now and then; until they are read ahead, the turn reads what it needs.
LOOK_EVERY_S = 5.0


async def keep_read(
    reader_now: Callable[[], Reader], speller: Speller, searcher: Searcher, encoder: StateEncoder
) -> None:
    """Read all passages, unless they are only skimmed, and all words; and what is added later, until cancelled.

    `reader_now`: another one where the encoder is another. `encoder` works in the background (`Encoder.in_background`).
    """
    while True:
        await asyncio.to_thread(speller.refresh)
        reader = reader_now()
        if not reader.skims:
            await _read_new(reader, searcher, encoder)
        await asyncio.sleep(LOOK_EVERY_S)


async def _read_new(reader: Reader, searcher: Searcher, encoder: StateEncoder) -> None:
    for chunk_id in reader.unread(searcher.chunk_ids()):
        try:
            passage = searcher.passage(chunk_id)
        except KeyError:  # taken out meanwhile
            continue
        if not await asyncio.to_thread(reader.read_ahead, passage, encoder):
            return
