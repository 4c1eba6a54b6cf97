"""What goes on while the store takes no row, where the site allows it, and that it is known afterwards how much did.

Nothing of it is claimed to be durable, and none of it is a reason for a text to leave: who agreed is not on record. The
first row that is recorded again brings the account of the gap with it, in the same transaction.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, get_args

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlite_utils import Database

from edge import metrics
from edge.chat.session_rows import now_ms
from edge.store import audit
from edge.store.store import Store
from edge.store.subjects import KEY_BITS, SubjectKey
from edge.store.unwritable import StoreUnwritable

log = logging.getLogger(__name__)

COMPONENT: Final = "records"
"""Runs weaker than asked while nothing can be recorded."""

ACTION: Final = "store.gap"
"""Of the row of audit that tells what is missing."""

What = Literal["turns", "conversations", "consents"]


class Unrecorded:
    """Writes what may stay unrecorded, and counts what did. Used from one event loop."""

    def __init__(self, store: Store, *, allowed: bool) -> None:
        """`allowed`: whether answers go on (`answer.unrecorded`)."""
        self.allowed = allowed
        self._store = store
        self._counts: Counter[What] = Counter()
        self._missing: Counter[What] = Counter()
        self._since_ms: int | None = None
        self._telling = False

    @property
    def failing(self) -> bool:
        """Whether the last write found the store closed to it."""
        return self._since_ms is not None

    def reason(self) -> str:
        """As a fallback's."""
        return StoreUnwritable.code if self.failing else ""

    def counts(self) -> Mapping[str, int]:
        """What was not recorded since the start."""
        return {what: self._counts[what] for what in get_args(What)}

    async def recorded(
        self, run: Callable[[Database], object], what: What, *, anyway: bool = False, required: bool = False
    ) -> bool:
        """Whether it is durable now. `anyway`: what is shown even where the site answers nothing unrecorded;
        `required`: what goes on nowhere.

        Raises StoreUnwritable where it must not go on, and what `Store.write` does.
        """
        try:
            await self._write(run)
        except StoreUnwritable:
            self._note(None)
            if required or not (self.allowed or anyway):
                raise
            self._note(what)
            return False
        return True

    def left_out(self, what: What) -> None:
        """Something more of what is not recorded from its beginning."""
        self._note(what)

    async def key_of(
        self, subject: str, stored: Callable[[str], Awaitable[SubjectKey]], *, required: bool = False
    ) -> tuple[SubjectKey, bool]:
        """Somebody's key by `stored`, and True; else one that seals nothing that stays. Raises as `recorded`."""
        try:
            return await stored(subject), True
        except StoreUnwritable:
            goes_on = self.allowed and not required
            self._note("conversations" if goes_on else None)
            if not goes_on:
                raise
            return SubjectKey(subject, AESGCM.generate_key(bit_length=KEY_BITS)), False

    async def look(self) -> None:
        """Try again after a failure, so that the end of a gap is noticed and written down though nobody asks."""
        if self.failing:
            try:
                await self._write(lambda _: None)
            except StoreUnwritable:
                return

    async def _write(self, run: Callable[[Database], object]) -> None:
        if self._since_ms is None or self._telling:
            await self._store.write(run)
            return
        since_ms, missing = self._since_ms, Counter(self._missing)

        def with_the_gap(db: Database) -> None:
            run(db)
            audit.append(db, "node", ACTION, _told(since_ms, missing), audit.Outcome.FAILED)

        self._telling = True
        try:
            await self._store.write(with_the_gap)
        finally:
            self._telling = False
        self._missing -= missing
        if not self._missing:  # else something more was missed meanwhile
            self._since_ms = None
            log.info("rows are recorded again", extra={what: missing[what] for what in get_args(What)})

    def _note(self, what: What | None) -> None:
        if self._since_ms is None:
            self._since_ms = now_ms()
            log.error("nothing can be recorded")
        if what is not None:
            self._counts[what] += 1
            self._missing[what] += 1
            metrics.unrecorded.labels(what).inc()


def _told(since_ms: int, missing: Mapping[What, int]) -> str:
    """In figures only."""
    parts = ", ".join(f"{missing.get(what, 0)} {what}" for what in get_args(What))
    return f"for {max(0, now_ms() - since_ms) // 1000} s: {parts}"
