"""The desired state in the store: what was seen, what runs, and the last good one after a restart.

Each step is durable before the next; the result goes up in the same transaction that records it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable

from sqlite_utils import Database

from core.errors import PosternError
from edge.privacy.policies import Policies
from edge.store.outbox import OutboxClass, append
from edge.store.store import Store
from edge.sync import desired
from edge.sync.desired import DesiredDocument, DesiredRefused, Progress
from edge.sync.events import Apply, Reject
from edge.sync.frames import DesiredState
from edge.sync.session import settled

log = logging.getLogger(__name__)

OnDesired = Callable[[DesiredDocument], Awaitable[None]]
# Generations kept for looking back, beside the one that runs.
GENERATIONS_KEPT = 10
_OWNER = "desired_of"


class DesiredKeeper:
    """Applies documents through `on_desired`, which may raise DesiredRefused (or any PosternError) to decline.

    `judge` is asked before, in the same way, and only when a document arrives: what was accepted once holds after a
    restart, whatever the site has changed since.
    """

    def __init__(self, store: Store, on_desired: OnDesired, judge: OnDesired) -> None:
        self._store = store
        self._on_desired = on_desired
        self._judge = judge
        self.progress = Progress()
        self.document = DesiredDocument()

    async def restore(self) -> None:
        """Run by the last good document again."""
        self.progress, document = await self._store.read(_load)
        if document is None:
            return
        try:
            self.document = desired.parse(document)
            await self._on_desired(self.document)
        except (DesiredRefused, PosternError):
            log.warning("the last desired state cannot be run any more; the site's own settings hold")

    async def belong_to(self, node_id: str) -> None:
        """Generations count within one enrolment: under a new identity they start again, what runs goes on."""
        if await self._store.read(lambda db: _owner(db) == node_id):
            return
        if await self._store.write(lambda db: change_owner(db, node_id)):
            self.progress = Progress()

    async def settle(self, effect: Apply | Reject) -> Progress:
        """Apply or reject, durably; returns the progress after it."""
        frame = effect.frame
        refused = DesiredRefused(effect.field, effect.reason) if isinstance(effect, Reject) else None
        if isinstance(effect, Apply):
            await self._store.write(lambda db: _record(db, frame, "observed"))
            refused = await self._run_by(effect.document)
        before, after = self.progress, settled(self.progress, frame, refused)
        # A frame that moves nothing (older, or not whole) leaves no trace in the store: it may come again and again.
        if (
            refused is None
            or after.observed_generation > before.observed_generation
            or isinstance(effect, Apply)
        ):
            await self._store.write(lambda db: _record_result(db, frame, refused))
        self.progress = after
        return after

    async def _run_by(self, document: DesiredDocument) -> DesiredRefused | None:
        try:
            await self._judge(document)
            await self._on_desired(document)
        except DesiredRefused as refused:
            return refused
        except PosternError as error:
            return DesiredRefused("document", error.code)
        except Exception:
            log.exception("applying the desired state failed")
            return DesiredRefused("document", "internal_error")
        self.document = document
        return None


async def judge_policy(policies: Policies, document: DesiredDocument) -> None:
    """Whether the control plane may ask for this. Raises DesiredRefused for a policy that is not stricter."""
    if document.policy is None:
        return
    try:
        policies.judge(document.policy)
    except PosternError as error:
        raise DesiredRefused("policy", error.code) from None


def _load(db: Database) -> tuple[Progress, bytes | None]:
    (observed,) = db.execute("SELECT coalesce(max(generation), 0) FROM desired").fetchone()
    applied = db.execute(
        "SELECT generation, hash, document FROM desired WHERE state = 'applied' ORDER BY generation DESC LIMIT 1"
    ).fetchone()
    if applied is None:
        return Progress(observed_generation=observed), None
    return Progress(observed, applied[0], bytes(applied[1])), bytes(applied[2])


def _owner(db: Database) -> str:
    row = db.execute("SELECT value FROM meta WHERE name = ?", [_OWNER]).fetchone()
    return bytes(row[0]).decode() if row else ""


def change_owner(db: Database, node_id: str) -> bool:
    """Note whose generations these are; forgets those of another identity and returns True if there was one."""
    before = _owner(db)
    db.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", [_OWNER, node_id.encode()])
    if before:
        db.execute("DELETE FROM desired")
    return bool(before)


def _record(db: Database, frame: DesiredState, state: str) -> None:
    db.execute(
        "INSERT OR REPLACE INTO desired(generation, hash, document, state, received_ms) VALUES (?, ?, ?, ?, ?)",
        [frame.generation, frame.hash, frame.document, state, time.time_ns() // 1_000_000],
    )


def _record_result(db: Database, frame: DesiredState, refused: DesiredRefused | None) -> None:
    state = "applied" if refused is None else "rejected"
    _record(db, frame, state)
    result: dict[str, str | int] = {
        "generation": frame.generation,
        "state": state,
        "field": refused.field if refused else "",
        "reason": refused.reason if refused else "",
    }
    append(db, OutboxClass.STATE, "desired.result", result)
    db.execute(
        "DELETE FROM desired WHERE generation <= ? AND generation NOT IN "
        "(SELECT max(generation) FROM desired WHERE state = 'applied')",
        [frame.generation - GENERATIONS_KEPT],
    )
