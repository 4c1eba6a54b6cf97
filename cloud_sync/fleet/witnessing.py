"""The control plane as a witness of its nodes' ledgers: who may submit what, and what is told of it.

Who a node is comes from TLS; its first checkpoint fixes its ledger's key. A second ledger of a node is a new log, never
a continuation, and the first one ends with it: both at once would be two views. A site that was enrolled again is
another node with the ledger of the first: it goes on where that ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from cloud_sync.fleet.admission import admit
from cloud_sync.store.audit import AuditRow, add_audit, add_refusal
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import get_node, lock_node
from cloud_sync.store.witnessed import (
    LogRow,
    add_log,
    get_log,
    logs_of,
    move_log,
    set_aside,
)
from cloud_sync.witness.memory import judge, note_refusal, remembered
from cloud_sync.witness.rules import (
    EVIDENCE,
    Conflict,
    Cosign,
    Decision,
    Reason,
    Refusal,
    Submitted,
    decide,
    newcomer,
    origin_of,
)
from cloud_sync.witness.signing import WitnessKey
from core.attempts import AttemptLimit

REFUSED: Final = "ledger.refused"
ANEW: Final = "ledger.anew"
MOVED: Final = "ledger.moved"
"""Actions in rows of audit; each is an alert."""

SUBMISSIONS_PER_NODE: Final = 30
SUBMISSIONS_WINDOW_S: Final = 600.0
"""A node submits once a minute, and once more where it has to begin its proof elsewhere."""

LOGS_PER_NODE_MAX: Final = 100
LOGS_WINDOW: Final = timedelta(days=30)
"""Nobody begins anew more often in a month. Past it a new one is refused as unknown, and asked about again by the node,
until the first of them are older; all of them are kept."""


@dataclass(frozen=True)
class Cosigned:
    """The witness's line, to be put under the checkpoint."""

    line: str


class Witnessing:
    """Takes what nodes submit."""

    def __init__(self, database: Database, key: WitnessKey, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._key = key
        self._clock = clock
        self._submissions = AttemptLimit(SUBMISSIONS_PER_NODE, SUBMISSIONS_WINDOW_S)

    @property
    def vkey(self) -> str:
        """Of this witness."""
        return self._key.vkey

    async def submit(
        self, node_id: str, fingerprint: bytes, log_key: bytes, submitted: Submitted
    ) -> Cosigned | Conflict | Refusal:
        """Sign a node's checkpoint, or say why not. `log_key`: of a ledger that is new here.

        Raises NodeRefused, TooManyAttempts, StoreBusy, StoreUnavailable.
        """
        self._submissions.begin(node_id, time.monotonic())
        now = self._clock()

        def write(connection: sa.Connection) -> Decision:
            admit(connection, node_id, fingerprint, now)
            return _submit(connection, node_id, log_key, submitted, now)

        decision = await self._database.run(write)
        return Cosigned(self._key.cosign(decision.text, now)) if isinstance(decision, Cosign) else decision


def _submit(
    connection: sa.Connection, node_id: str, log_key: bytes, submitted: Submitted, now: datetime
) -> Decision:
    lock_node(connection, node_id)  # a log may take the place of another: one submission after the other
    known = get_log(connection, origin_of(submitted.note) or "")
    if known is None:
        decision = _begin(connection, node_id, log_key, submitted, now)
    elif known.node_id == node_id:
        decision = judge(connection, known, submitted, now)
    else:
        decision = _of_other_node(connection, node_id, known, submitted, now)
    if isinstance(decision, Refusal):
        signed = known.size if known else 0
        detail = (
            f"{decision.reason}: {signed} entries of {known.origin if known else 'no ledger'} were signed"
        )
        add_refusal(connection, AuditRow(now, node_id, REFUSED, node_id, detail))
        note_refusal(connection, node_id, known, submitted, decision, now)
    return decision


def _begin(
    connection: sa.Connection, node_id: str, log_key: bytes, submitted: Submitted, now: datetime
) -> Decision:
    """The first that is seen of a log. Those that the node had before end with it."""
    fresh = newcomer(origin_of(submitted.note) or "", log_key)
    before = logs_of(connection, node_id)
    lately = sum(row.first_at > now - LOGS_WINDOW for row in before)
    decision = decide(fresh if lately < LOGS_PER_NODE_MAX else None, submitted)
    if not isinstance(decision, Cosign):
        return decision
    found = decision.checkpoint
    if not add_log(connection, LogRow(found.origin, node_id, log_key, found.size, found.root, now, now)):
        return Refusal(Reason.OTHER_NODE)  # that other node was a moment faster
    set_aside(connection, node_id, found.origin, now)
    if before:
        detail = (
            f"{found.origin} in place of {before[0].origin}, of which {before[0].size} entries were signed"
        )
        add_audit(connection, AuditRow(now, node_id, ANEW, node_id, detail))
    return decision


def _of_other_node(
    connection: sa.Connection, node_id: str, known: LogRow, submitted: Submitted, now: datetime
) -> Decision:
    """It is not this node's to show, genuine or not, unless it continues the ledger of a node enrolled before it."""
    decision = decide(remembered(known), submitted)
    if isinstance(decision, Refusal):
        return decision if decision.reason not in EVIDENCE else Refusal(Reason.OTHER_NODE)
    if not _comes_after(connection, node_id, known.node_id):
        return Refusal(Reason.OTHER_NODE)
    if isinstance(decision, Cosign):
        move_log(connection, known, node_id)
        detail = f"{known.origin} from {known.node_id}, of which {known.size} entries were signed"
        add_audit(connection, AuditRow(now, node_id, MOVED, node_id, detail))
    return judge(connection, known, submitted, now)


def _comes_after(connection: sa.Connection, node_id: str, before: str) -> bool:
    """Whether a node was enrolled later than `before` and has no ledger yet: as a site that is enrolled again."""
    newer, older = get_node(connection, node_id), get_node(connection, before)
    if newer is None or older is None or newer.enrolled_at <= older.enrolled_at:
        return False
    return not logs_of(connection, node_id)
