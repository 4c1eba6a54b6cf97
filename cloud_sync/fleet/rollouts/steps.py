"""Takes the steps that nodes tell of into their places in rollouts, in the transaction of their watermark."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.fleet.rollouts.reports import NodeStatus, StepReport, status_after
from cloud_sync.store.rollouts import MemberRow, get_member, get_rollout, save_member, settle_elsewhere


def apply_steps(
    connection: sa.Connection, node_id: str, reports: Iterable[StepReport], now: datetime
) -> None:
    """Of each report the status, the step and what was measured; a rollout that is not the node's is passed over."""
    for report in reports:
        member = get_member(connection, report.rollout, node_id)
        # A wave that has not begun cannot be told of: the row is of another control plane's rollout, or a lie.
        if member is None or member.status == NodeStatus.WAITING:
            continue
        values = {
            "status": _after(connection, member, report).value,
            "step": report.step,
            "outcome": report.outcome,
            "reason": report.reason,
            "figures": {**member.figures, **report.figures()},
            "changed_at": now,
        }
        save_member(connection, report.rollout, node_id, values)
        if report.step == "keep" and report.outcome == "done":
            # What a withdrawn rollout had brought is gone with it.
            what = report.kind, report.name, report.rollout
            settle_elsewhere(connection, node_id, what, NodeStatus.RETURNING, NodeStatus.RETURNED)


def _after(connection: sa.Connection, member: MemberRow, report: StepReport) -> NodeStatus:
    status = NodeStatus(member.status)
    if status in (NodeStatus.RETURNING, NodeStatus.RETURNED):
        rollout = get_rollout(connection, member.rollout_id)
        if rollout is not None and rollout.spec["version"] != report.version:
            # The way back is an update of its own; until it is kept, the node runs what was withdrawn.
            return NodeStatus.RETURNED if (report.step, report.outcome) == ("keep", "done") else status
    return status_after(status, report, member.reason)
