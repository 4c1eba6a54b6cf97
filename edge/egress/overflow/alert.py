"""The control plane recognised something personal in what the guard had let out: said at the site, and acted on.

The control plane refuses such a text; that it got there is what the site must know. A row of audit, a fallback for a
day and a metric say so, with types and never a value; and for the rest of the conversation the policy goes by what it
turned out to be.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from sqlite_utils import Database

from edge import metrics
from edge.egress.metrics import RECOGNISED
from edge.privacy.policy import Purpose
from edge.store import audit, text_uses
from edge.store.store import Store
from models.detect.entity_types import ENTITY_TYPES
from models.detect.label import Label, label_of
from models.detect.spans import Span

log = logging.getLogger(__name__)

COMPONENT: Final = "text_guard"
"""Runs weaker than asked while something that it let out was recognised elsewhere not long ago."""

SAID_S: Final = 24 * 3600.0
"""How long `postern_fallback_active` says so; the row of audit stays."""

OTHER: Final = "OTHER"
"""A type that this release does not know: what a control plane calls it is not repeated."""


class OverflowAlert:
    """Used from one event loop."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        """Says so wherever fallbacks are told. `clock`: seconds."""
        self._store = store
        self._clock = clock
        self._said_until = 0.0
        metrics.watch(COMPONENT, self.reason)

    def reason(self) -> str:
        """Why the guard counts as weaker than asked; empty where it does not."""
        return "personal_recognised" if self._clock() < self._said_until else ""

    async def personal(self, session: str, types: Iterable[str]) -> None:
        """Note it: `types` as the control plane named them."""
        known = sorted({type_ if type_ in ENTITY_TYPES else OTHER for type_ in types}) or [OTHER]
        for type_ in known:
            RECOGNISED.labels(type_).inc()
        self._said_until = self._clock() + SAID_S
        log.error("the control plane recognised something personal", extra={"types": known})
        noted = False
        try:
            await self._store.write(partial(_note, session=session, types=known))
            noted = True
        except Exception as error:  # a full disk, too: metric and log have said it
            log.error("it could not be written down", extra={"error": type(error).__name__})
        finally:
            if not noted:  # the label cannot stick
                self._store.off_record.add(session)


def _note(db: Database, session: str, types: list[str]) -> None:
    at_ms = time.time_ns() // 1_000_000
    audit.refused(db, "control-plane", "overflow.personal", " ".join(types), at_ms)
    label = max(Label.PERSONAL, label_of([Span(type_, 0, 1, 1.0) for type_ in types], special=False))
    text_uses.note_label(db, Purpose.OVERFLOW, session, label, at_ms)
