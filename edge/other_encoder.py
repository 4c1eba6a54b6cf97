"""Part of the composition root: another encoder takes the place of the one that serves, with all that hangs on vectors.

The documents are embedded beside what serves, at the lowest priority; then all of it changes between two batches of
turns, so that no question meets vectors of two encoders (docs/adr/0028).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge.chat import heads, unanswered
from edge.chat.answers.reading import CHUNKS_READ_MAX, Reader
from edge.chat.understanding import understanding
from edge.knowledge.vectors import Embedded, Vectors
from edge.placed import say_unfitted
from models.encoder import BackgroundEncoder, Encoder

if TYPE_CHECKING:
    from edge.app import Site

log = logging.getLogger(__name__)


async def catch_up(site: Site) -> None:
    """After a start with another encoder: documents, questions and intents get its vectors."""
    if site.knowledge.behind:
        await site.store.write(unanswered.forget_vectors)
        await site.knowledge.catch_up()
    await site.intents.follow_encoder()


async def change_encoder(site: Site, new: Encoder, tell: Callable[[Embedded], None]) -> None:
    """Let `new` serve. What fails before the change leaves the old one serving, and `new` to the caller."""
    log.info("documents are embedded by another encoder", extra={"model": new.info.model})
    background = new.in_background()
    try:
        made = await site.knowledge.embed_all(background, tell)
        await _change(site, new, background, made)
    finally:
        await asyncio.to_thread(background.close)


async def _change(site: Site, new: Encoder, background: BackgroundEncoder, made: Vectors) -> None:
    info, dim = new.info, new.dim
    found = heads.heads_for(info, skims=len(site.knowledge.searcher) > CHUNKS_READ_MAX)

    def switch(take_vectors: Callable[[], None]) -> None:
        def change() -> None:
            site.encoder.take_over(new, other_space=True)
            take_vectors()
            _read_with(site, Reader(site.encoder, found.answers.directions))
            site.chooser.model = found.answers
            site.intents.use_encoder(info.model, info.space, dim)
            site.learning.use_encoder(info, found.answers)

        site.chooser.between_batches(change)

    await site.knowledge.exchange(made, info.space, background, found.ranking, switch)
    await site.store.write(unanswered.forget_vectors)
    await site.learning.load()
    say_unfitted(info)


def _read_with(site: Site, reader: Reader) -> None:
    searcher, you = site.knowledge.searcher, site.config.site.you
    site.chooser.reader = reader
    site.chooser.understand = understanding(site.encoder, searcher, reader, site.speller, site.intents, you)
