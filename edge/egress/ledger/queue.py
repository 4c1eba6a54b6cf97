"""The ledger for an event loop: appends from many tasks, one thread, one fsync for all that wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from edge.egress.ledger.account import Judge
from edge.egress.ledger.errors import LedgerFailed, WitnessRefused
from edge.egress.ledger.leaf_types import CLOSES, OPENS, Draft
from edge.egress.ledger.log import Log
from edge.egress.ledger.notes import Note
from edge.egress.ledger.submission import Submission

log = logging.getLogger(__name__)

CHECKPOINT_EVERY_S: Final = 60.0
"""How long a leaf waits to be under a signature."""

_Group = list[tuple[Sequence[Draft], asyncio.Future[None]]]
"""What callers want written, and who waits for it (and may have left meanwhile: it is written all the same)."""


class LedgerQueue:
    """Awaiting `append` means: durable. What waits is bounded by its callers, each of whom awaits."""

    def __init__(self, ledger: Log) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._waiting: _Group = []
        self._alone = 0
        """So many of the first that wait are written each by itself."""
        self._writing = False
        self._stopped = ""
        self._owed: list[Draft] = []
        """How things ended that were under way when nothing could be written: goes before whatever is written next. No
        more than were open then, since nothing else is sent meanwhile."""

    @property
    def size(self) -> int:
        """Leaves."""
        return self._ledger.size

    async def append(self, drafts: Sequence[Draft]) -> None:
        """Write the leaves, in order of calls. Raises LedgerFailed, WitnessRefused, ValueError for what is no leaf.

        A close that raised LedgerFailed is written later, before anything else leaves.
        """
        if self._stopped and any(draft.type in OPENS for draft in drafts):
            raise WitnessRefused(f"The witness says {self._stopped}.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((drafts, done))
        if not self._writing:
            self._write()
        await done

    async def compare(self, judge: Judge) -> None:
        """As `Log.compare`. Raises LedgerFailed."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.compare, judge)

    async def checkpoint(self) -> Note:
        """What the ledger is now, signed. Raises LedgerFailed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.checkpoint)

    async def submission(self, old_size: int) -> Submission:
        """What a witness is shown. Raises LedgerFailed."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._ledger.submission, old_size)

    async def cosigned(self, note: Note) -> None:
        """Keep a checkpoint with a witness's signature. Raises LedgerFailed."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.cosigned, note)

    def stop(self, reason: str) -> None:
        """Nothing begins to leave from now on; what is under way is closed."""
        self._stopped = reason

    async def keep_signing(self, every_s: float = CHECKPOINT_EVERY_S) -> None:
        """Sign what has grown, again and again, until cancelled."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await self.append([])  # what is owed
                await self.checkpoint()
            except LedgerFailed as error:
                log.error("the ledger's checkpoint cannot be written", extra={"detail": error.detail})
            except Exception:  # whatever it is must not end the signing unseen
                log.exception("the ledger's checkpoint cannot be written")

    async def close(self) -> None:
        """Wait for what is being written, then let go of the file."""
        with contextlib.suppress(LedgerFailed):  # what is owed then is closed as unknown at the next start
            await self.append([])
        await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.close)
        self._thread.shutdown(wait=False)

    def _write(self) -> None:
        """Hand the thread what waits. No task stands between a caller and the disk: an intent holds up a text."""
        end = 1 if self._alone else len(self._waiting)
        group, self._waiting = self._waiting[:end], self._waiting[end:]
        self._alone = max(0, self._alone - 1)
        leaves = [*self._owed, *(draft for drafts, _ in group for draft in drafts)]
        self._thread.submit(self._append, leaves, group, asyncio.get_running_loop())
        self._writing = True

    def _append(self, leaves: Sequence[Draft], group: _Group, loop: asyncio.AbstractEventLoop) -> None:
        """In the thread."""
        error: Exception | None = None
        try:
            self._ledger.append(leaves)
        except Exception as raised:
            error = raised
        loop.call_soon_threadsafe(self._written, group, error)

    def _written(self, group: _Group, error: Exception | None) -> None:
        """All in one go, or nothing: where a leaf is none, each caller's is tried by itself, so that the others do not
        fail with it."""
        if error is None:
            self._owed.clear()
        elif isinstance(error, LedgerFailed):
            self._owe([draft for drafts, _ in group for draft in drafts])
        elif len(group) > 1:
            self._waiting, self._alone, group = group + self._waiting, len(group), []
        for _, done in group:
            _tell(done, error)
        self._writing = False
        if self._waiting:
            self._write()

    def _owe(self, drafts: Sequence[Draft]) -> None:
        ends = [draft for draft in drafts if draft.type in CLOSES]
        if ends:
            log.error("how things ended is not in the ledger yet", extra={"leaves": len(ends)})
        self._owed += ends


def _tell(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        return  # whoever waited has left
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
