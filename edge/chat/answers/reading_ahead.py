"""Passages are read before anybody asks about them: a first question then costs no more than the second."""

from __future__ import annotations

import asyncio

from edge.chat.answers.reading import Reader, StateEncoder
from edge.knowledge.search import Searcher

# Documents are added now and then; until they are read ahead, the turn reads what it needs.
LOOK_EVERY_S = 5.0


async def keep_read(reader: Reader, searcher: Searcher, encoder: StateEncoder) -> None:
    """Read all that may be found, and what is added later, until cancelled or where passages are only skimmed.

    `encoder` works in the background (`Encoder.in_background`).
    """
    while not reader.skims:
        for chunk_id in reader.unread(searcher.chunk_ids()):
            try:
                passage = searcher.passage(chunk_id)
            except KeyError:  # taken out meanwhile
                continue
            if not await asyncio.to_thread(reader.read_ahead, passage, encoder):
                break
        await asyncio.sleep(LOOK_EVERY_S)
