"""Rollouts of a control plane that was put back: none goes on by itself, for what became of it since is not known."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from cloud_sync.fleet.rollouts.machine import Reason, State
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.rollouts import rollouts_in, save_rollout


def hold_rollouts(connection: sa.Connection, actor: str, now: datetime) -> int:
    """Pause, in the transaction of a restore, each rollout that would go on by itself; how many those are.

    It may have failed after the backup was made. A person looks, and resumes or aborts it.
    """
    found = rollouts_in(connection, {State.SCHEDULED, State.RUNNING})
    for rollout_id in found:
        values = {"state": State.PAUSED.value, "reason": Reason.RESTORED.value, "passed_since": None}
        save_rollout(connection, rollout_id, values | {"changed_at": now})
        detail = Reason.RESTORED.value
        add_audit(connection, AuditRow(now, actor, f"rollout.{State.PAUSED}", rollout_id, detail))
    return len(found)
