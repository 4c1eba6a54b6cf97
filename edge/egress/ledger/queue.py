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
"""What callers want written, and who waits for it."""


class LedgerQueue:
    """Awaiting `append` means: durable. What waits is bounded by its callers, each of whom awaits."""

    def __init__(self, ledger: Log) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._waiting: _Group = []
        self._writing: asyncio.Task[None] | None = None
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
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="ledger-writer")
        await asyncio.shield(done)

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

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            await self._write_group(group)
        self._writing = None

    async def _write_group(self, group: _Group) -> None:
        """In one go; where a leaf is none, each caller's by itself, so that the others do not fail with it."""
        drafts = [draft for wanted, _ in group for draft in wanted]
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._ledger.append, [*self._owed, *drafts])
        except LedgerFailed as error:
            self._owe(drafts)
            _fail(group, error)
        except Exception as error:
            if len(group) == 1:
                _fail(group, error)
                return
            for one in group:
                await self._write_group([one])
        else:
            self._owed.clear()
            for _, done in group:
                done.set_result(None)

    def _owe(self, drafts: Sequence[Draft]) -> None:
        ends = [draft for draft in drafts if draft.type in CLOSES]
        if ends:
            log.error("how things ended is not in the ledger yet", extra={"leaves": len(ends)})
        self._owed += ends


def _fail(group: _Group, error: Exception) -> None:
    for _, done in group:
        done.set_exception(error)
