"""What a node's rows of kind "update.step" mean for its place in a rollout. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_sync.store.streams import RecordRow

KIND = "update.step"
_COUNT_MAX = 10**15  # a petabyte; above it a count is a fault

_Code = Annotated[str, Field(pattern=r"^[a-z0-9_.-]{0,64}$")]
_Count = Annotated[int, Field(ge=0, le=_COUNT_MAX)]


class NodeStatus(StrEnum):
    """Where a node is in a rollout."""

    WAITING = "waiting"  # its wave has not begun
    TOLD = "told"  # it is to run the version; nothing heard yet
    WORKING = "working"
    KEPT = "kept"
    FAILED = "failed"  # it refused or failed before it changed anything
    ROLLED_BACK = "rolled_back"  # it changed, and went back by itself
    RETURNING = "returning"  # the rollout was withdrawn; it is to go back
    RETURNED = "returned"  # or its site has taken off what it kept


# Of these, one too many stops a rollout.
FAILURES = frozenset({NodeStatus.FAILED, NodeStatus.ROLLED_BACK})
# Steps in which a node has changed nothing yet.
_UNTOUCHED = frozenset({"fetch", "verify", "stage", "gate"})
_DAMAGED = "damaged"
_UNTRUSTED = "trust_refused"
# Its site has taken off what it had kept.
_REMOVED = "removed"


class StepReport(BaseModel):
    """A step of a node. Newer nodes may say more, and take steps that this release has no name for."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    rollout: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    kind: _Code
    name: _Code
    version: Annotated[str, Field(max_length=64)]
    step: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    outcome: Literal["begun", "done", "failed"]
    reason: _Code = ""
    golden_permille: _Count | None = None
    golden_permille_min: _Count | None = None
    agreement_permille: _Count | None = None
    agreement_permille_min: _Count | None = None
    cosine_permille: _Count | None = None
    cosine_permille_min: _Count | None = None
    cosine_least_permille: _Count | None = None
    cosine_least_permille_min: _Count | None = None
    latency_us: _Count | None = None
    latency_us_max: _Count | None = None
    bytes_fetched: _Count | None = None
    bytes_present: _Count | None = None

    def figures(self) -> dict[str, int]:
        """What was measured on the node, by name; only what this row says."""
        return self.model_dump(include=_FIGURES, exclude_none=True)


_FIGURES = {name for name, each in StepReport.model_fields.items() if each.default is None}


def read_step(row: RecordRow) -> StepReport | None:
    """The step that a row tells of; None when it is another kind or not well formed."""
    if row.kind != KIND:
        return None
    try:
        return StepReport.model_validate_json(row.payload)
    except ValidationError:
        return None


def status_after(status: NodeStatus, report: StepReport, reason: str = "") -> NodeStatus:
    """Where a node is after a row of it. `reason`: of the row before.

    What failed once has failed for this rollout, even if the node tries again by itself: the count that stops a
    rollout never falls. Only what came damaged is fetched again, and what was signed wrongly is signed anew: neither
    is a fault of the version.
    """
    back = report.step == "roll_back" and report.outcome == "done"
    if status in (NodeStatus.RETURNING, NodeStatus.RETURNED):
        untouched = report.outcome == "failed" and report.step in _UNTOUCHED
        return NodeStatus.RETURNED if back or untouched else status
    if back and report.reason == _REMOVED:
        return NodeStatus.RETURNED
    if back or status is NodeStatus.ROLLED_BACK:
        return NodeStatus.ROLLED_BACK
    if status is NodeStatus.FAILED:
        again = (report.step, report.outcome) == ("fetch", "begun") and reason == _DAMAGED
        again = again or (report.outcome == "done" and reason == _UNTRUSTED)
        return NodeStatus.WORKING if again else status
    if report.outcome == "failed" or report.step == "roll_back":
        return NodeStatus.FAILED
    if report.step == "keep" and report.outcome == "done":
        return NodeStatus.KEPT
    return NodeStatus.KEPT if status is NodeStatus.KEPT else NodeStatus.WORKING
