"""Part of the composition root: another encoder takes the place of the one that serves, with all that hangs on vectors.

The documents are embedded beside what serves, at the lowest priority; then all of it changes between two batches of
turns, so that no question meets vectors of two encoders (docs/adr/0028).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from edge import metrics
from edge.chat import heads, unanswered
from edge.chat.answers.reading import CHUNKS_READ_MAX, Reader
from edge.chat.understanding import understanding
from edge.knowledge.vectors import Embedded, Vectors
from edge.placed import say_unfitted
from models.encoder import BackgroundEncoder, Encoder

if TYPE_CHECKING:
    from edge.app import Site

log = logging.getLogger(__name__)

CATCH_UP: Final = "catch_up"
"""The component that runs weaker than asked while it waits to try again; `vectors` and `intents` say what lacks."""

AGAIN_S: Final = 300.0
"""Seconds until what failed is tried again: memory or disk that was short may be there then."""


async def catch_up(site: Site, again_s: float = AGAIN_S) -> None:
    """Documents, questions and intents get the encoder's vectors: after a start, and after each change. Endless."""
    while True:
        site.encoder_changed.clear()
        pause_s = None
        try:
            await _catch_up(site)
            metrics.recover(CATCH_UP)
        except Exception:
            metrics.fall_back(CATCH_UP, "failed")
            log.exception("what hangs on the encoder has not followed it", extra={"again_in_s": again_s})
            pause_s = again_s
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(site.encoder_changed.wait(), pause_s)


async def _catch_up(site: Site) -> None:
    if site.knowledge.behind:
        await site.store.write(unanswered.forget_vectors)
        await site.knowledge.catch_up()
    await site.intents.follow_encoder()


async def change_encoder(site: Site, new: Encoder, tell: Callable[[Embedded], None]) -> None:
    """Let `new` serve. What fails before the change leaves the old one serving, and `new` to the caller."""
    log.info("documents are embedded by another encoder", extra={"model": new.info.model})
    background = new.in_background()
    try:
        made = await site.knowledge.embed_all(background, new.info.space, tell)
        await _change(site, new, background, made)
    finally:
        await asyncio.to_thread(background.close)


async def _change(site: Site, new: Encoder, background: BackgroundEncoder, made: Vectors) -> None:
    info, dim = new.info, new.dim
    retire: list[Callable[[], None]] = []
    found = heads.heads_for(info, skims=len(site.knowledge.searcher) > CHUNKS_READ_MAX)

    def switch(take_vectors: Callable[[], None]) -> None:
        def change() -> None:
            retire.append(site.encoder.take_over(new, other_space=True))
            _read_with(site, Reader(site.encoder, found.answers.directions))
            site.chooser.model = found.answers
            site.intents.use_encoder(info.model, info.space, dim)
            site.learning.use_encoder(info, found.answers)
            take_vectors()  # last: it alone may fail, for want of memory, and is made good by `catch_up`

        site.chooser.between_batches(change)

    try:
        await site.knowledge.exchange(made, info.space, background, found.ranking, switch)
    finally:
        if site.encoder.serves_as(new):
            say_unfitted(info)
            for close in retire:
                await asyncio.to_thread(close)
            await site.store.write(unanswered.forget_vectors)
            await site.learning.load()


def _read_with(site: Site, reader: Reader) -> None:
    searcher, you = site.knowledge.searcher, site.config.site.you
    site.chooser.reader = reader
    told = (site.intents, you, site.scanner.detector)
    site.chooser.understand = understanding(site.encoder, searcher, reader, site.speller, *told)
