"""What services tell pages and the command line: frozen values, ready to show. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class ModelView:
    """One model that a node serves."""

    name: str
    version: str
    runtime: str
    device: str


@dataclass(frozen=True)
class NodeView:
    """A node as an admin sees it."""

    id: str
    site: str
    name: str
    group: str
    state: str
    state_text: str
    enrolled_at: datetime
    revoked_at: datetime | None
    first_seen: datetime | None
    last_seen: datetime | None
    certificate_expires: datetime
    software_version: str
    models: tuple[ModelView, ...]
    queue_percent: int | None
    outbox_rows: int | None
    outbox_oldest_s: int | None
    devices_online: int | None
    documents: int | None
    chunks: int | None
    fallbacks: tuple[str, ...]
    turns_today: int | None
    labels: Mapping[str, str]
    desired_generation: int | None
    observed_generation: int | None
    applied_generation: int | None
    config_state: str
    config_text: str
    rejected_field: str
    rejected_reason: str
    disk_free_percent: int | None = None
    """In tens, rounded down."""


@dataclass(frozen=True)
class FleetView:
    """One page of the nodes that fit a filter, and the counts around it."""

    nodes: tuple[NodeView, ...]
    by_state: Mapping[str, int]
    """Of the nodes that fit the filter, its state left aside."""
    found: int
    """Nodes that fit the whole filter, on all pages."""
    total: int
    """Nodes of the fleet."""
    groups: tuple[str, ...]
    turns_today: int | None
    """Of the whole fleet; None when every cell was too small to tell."""


@dataclass(frozen=True)
class CountView:
    """A count of the last day; None is suppressed: between one and four in every interval."""

    name: str
    total: int | None


@dataclass(frozen=True)
class GapView:
    """Rows of a node's outbox that will never come."""

    first_seq: int
    last_seq: int
    outbox_class: str
    """audit | state | metrics | mixed; "" where nobody knows."""
    reason: str
    """quota: the node dropped them; lost: neither side has them."""
    bytes: int | None
    found_at: datetime


@dataclass(frozen=True)
class AuditView:
    """One line of the audit trail."""

    at: datetime
    actor: str
    action: str
    subject: str
    detail: str
    count: int = 1
    """How often, of what was refused."""


@dataclass(frozen=True)
class LedgerView:
    """A ledger of a node, as the witness knows it."""

    origin: str
    size: int
    """Entries that were signed."""
    first_at: datetime
    witnessed_at: datetime | None
    set_aside_at: datetime | None
    """Since when another one has its place."""
    refused: tuple[tuple[str, int], ...]
    """Reasons, and how often."""


@dataclass(frozen=True)
class AuditSearchView:
    """Rows of audit that fit, newest first."""

    rows: tuple[AuditView, ...]
    older: int | None
    """Where the next page goes on; None when there is none."""
    areas: tuple[str, ...]
    """First parts of the actions there are."""


@dataclass(frozen=True)
class CodeView:
    """A one-time code without its secret."""

    site: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    state: str
    node_id: str | None


@dataclass(frozen=True)
class NewCode:
    """A code at the only moment when it can be read."""

    code: str
    site: str
    expires_at: datetime
    command: str
