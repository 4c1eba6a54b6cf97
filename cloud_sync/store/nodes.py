"""Queries on nodes: who they are, when they were last heard of, what they last said about themselves."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from cloud_sync.store.notices import STREAM, notify
from cloud_sync.store.parts import in_parts
from cloud_sync.store.schema import nodes

ACTIVE = "active"
REVOKED = "revoked"
DEFAULT_GROUP = "default"


@dataclass(frozen=True)
class NodeRow:
    """One node as the database has it."""

    id: str
    site: str
    name: str
    group_name: str
    status: str
    certificate_fingerprint: bytes
    certificate_expires: datetime
    enrolled_at: datetime
    revoked_at: datetime | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    stream_generation: int = 0
    software_version: str = ""
    queue_percent: int | None = None
    outbox_rows: int | None = None
    outbox_oldest_s: int | None = None
    fallbacks: tuple[str, ...] = ()
    disk_free_percent: int | None = None
    models: tuple[dict[str, str], ...] = ()
    documents: int | None = None
    chunks: int | None = None
    devices_online: int | None = None
    observed_generation: int | None = None
    applied_generation: int | None = None
    rejected_field: str = ""
    rejected_reason: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    steered_generation: int = 0
    lost_generation: int = 0
    next_certificate_fingerprint: bytes | None = None
    next_certificate_expires: datetime | None = None


@dataclass(frozen=True)
class Steered:
    """What decides what a node is told."""

    id: str
    group_name: str
    status: str
    stream_generation: int
    steered_generation: int


@dataclass(frozen=True)
class Beat:
    """What a heartbeat says."""

    node_id: str
    stream_generation: int
    last_seen: datetime
    queue_percent: int
    outbox_rows: int
    outbox_oldest_s: int
    fallbacks: tuple[str, ...]
    disk_free_percent: int | None = None


@dataclass(frozen=True)
class Report:
    """What a node reports about itself when it changes."""

    observed_generation: int
    applied_generation: int
    rejected_field: str
    rejected_reason: str
    models: tuple[dict[str, str], ...]
    documents: int
    chunks: int
    devices_online: int
    software_version: str


_COLUMNS = [nodes.c[each.name] for each in fields(NodeRow)]
_STEERED = [nodes.c[each.name] for each in fields(Steered)]


_NOT_SAID = {"node_id", "stream_generation", "last_seen"}
_SAID_OF_ITSELF = (
    "queue_percent",
    "outbox_rows",
    "outbox_oldest_s",
    "documents",
    "chunks",
    "devices_online",
    "observed_generation",
    "applied_generation",
    "disk_free_percent",
)


def add_node(connection: sa.Connection, node: NodeRow) -> None:
    """A newly enrolled node."""
    values = asdict(node)
    connection.execute(nodes.insert().values(**values | {"fallbacks": [], "models": []}))


def all_nodes(connection: sa.Connection) -> tuple[NodeRow, ...]:
    """Every node, revoked ones too, by site and name."""
    rows = connection.execute(sa.select(*_COLUMNS).order_by(nodes.c.site, nodes.c.name, nodes.c.id))
    return tuple(_node(row._mapping) for row in rows)


def get_node(connection: sa.Connection, node_id: str) -> NodeRow | None:
    """One node, or None."""
    row = connection.execute(sa.select(*_COLUMNS).where(nodes.c.id == node_id)).one_or_none()
    return None if row is None else _node(row._mapping)


def nodes_of(connection: sa.Connection, node_ids: Collection[str]) -> tuple[NodeRow, ...]:
    """Those of these nodes that exist, in no order."""
    found: list[NodeRow] = []
    for some in in_parts(node_ids):
        rows = connection.execute(sa.select(*_COLUMNS).where(nodes.c.id.in_(some)))
        found += [_node(row._mapping) for row in rows]
    return tuple(found)


def count_at_site(connection: sa.Connection, site: str) -> int:
    """How many nodes a site ever had."""
    return connection.execute(sa.select(sa.func.count()).where(nodes.c.site == site)).scalar_one()


def revoke_node(connection: sa.Connection, node_id: str, now: datetime) -> int | None:
    """Revoke an active node: the stream generation after its last stream; None when there was no such node."""
    change = nodes.update().where(nodes.c.id == node_id, nodes.c.status == ACTIVE)
    change = change.values(status=REVOKED, revoked_at=now, stream_generation=nodes.c.stream_generation + 1)
    found: int | None = connection.execute(change.returning(nodes.c.stream_generation)).scalar_one_or_none()
    return found


def move_node(connection: sa.Connection, node_id: str, group: str) -> None:
    """Put a node into a group."""
    connection.execute(nodes.update().where(nodes.c.id == node_id).values(group_name=group))


def label_node(connection: sa.Connection, node_id: str, labels: Mapping[str, str]) -> None:
    """Replace a node's labels."""
    connection.execute(nodes.update().where(nodes.c.id == node_id).values(labels=dict(labels)))


def hold(connection: sa.Connection, node_ids: Collection[str]) -> None:
    """Keep these nodes for this transaction, in one order for all that change several: else two wait for each other."""
    for some in in_parts(node_ids):
        query = sa.select(nodes.c.id).where(nodes.c.id.in_(some)).order_by(nodes.c.id)
        connection.execute(query.with_for_update(key_share=True)).all()


def lock_node(connection: sa.Connection, node_id: str) -> None:
    """Whoever does the same waits until this transaction ends."""
    connection.execute(sa.select(nodes.c.id).where(nodes.c.id == node_id).with_for_update()).all()


def steer(connection: sa.Connection, node_ids: Collection[str], generation: int) -> None:
    """Note that something was changed for these nodes alone."""
    hold(connection, node_ids)
    for some in in_parts(node_ids):
        change = nodes.update().where(nodes.c.id.in_(some))
        connection.execute(change.values(steered_generation=generation))


def steered(
    connection: sa.Connection, node_ids: Collection[str], which: sa.ColumnElement[bool] | None = None
) -> tuple[Steered, ...]:
    """What decides what these nodes are told; of those alone for which `which` holds."""
    query = sa.select(*_STEERED) if which is None else sa.select(*_STEERED).where(which)
    found: list[Steered] = []
    for some in in_parts(node_ids):
        found += [Steered(**row._mapping) for row in connection.execute(query.where(nodes.c.id.in_(some)))]
    return tuple(found)


def offer_certificate(connection: sa.Connection, node_id: str, fingerprint: bytes, expires: datetime) -> None:
    """A certificate that the node may use from now on, beside the one it uses; one offered before is void."""
    change = nodes.update().where(nodes.c.id == node_id)
    connection.execute(
        change.values(next_certificate_fingerprint=fingerprint, next_certificate_expires=expires)
    )


def use_certificate(connection: sa.Connection, node_id: str, fingerprint: bytes, expires: datetime) -> None:
    """The node's certificate is this one alone."""
    change = nodes.update().where(nodes.c.id == node_id)
    connection.execute(
        change.values(
            certificate_fingerprint=fingerprint,
            certificate_expires=expires,
            next_certificate_fingerprint=None,
            next_certificate_expires=None,
        )
    )


def replace_machine(
    connection: sa.Connection, node_id: str, fingerprint: bytes, expires: datetime, version: str
) -> int:
    """Another machine under the node's name, and nothing that the old one said of itself; its new stream generation."""
    use_certificate(connection, node_id, fingerprint, expires)
    change = nodes.update().where(nodes.c.id == node_id)
    change = change.values(
        status=ACTIVE,
        revoked_at=None,
        software_version=version,
        stream_generation=nodes.c.stream_generation + 1,
        **dict.fromkeys(_SAID_OF_ITSELF),
        fallbacks=[],
        models=[],
        rejected_field="",
        rejected_reason="",
    )
    generation: int = connection.execute(change.returning(nodes.c.stream_generation)).scalar_one()
    return generation


def count_stream(connection: sa.Connection, node_id: str, software_version: str, now: datetime) -> int:
    """A new stream of a node: its generation, which other replicas hear of. The row stays locked until the end."""
    change = nodes.update().where(nodes.c.id == node_id)
    change = change.values(
        stream_generation=nodes.c.stream_generation + 1,
        software_version=software_version,
        first_seen=sa.func.coalesce(nodes.c.first_seen, sa.bindparam("now", now, nodes.c.first_seen.type)),
        last_seen=now,
    )
    generation: int = connection.execute(change.returning(nodes.c.stream_generation)).scalar_one()
    notify(connection, STREAM, f"{generation} {node_id}")
    return generation


def save_beats(connection: sa.Connection, beats: Iterable[Beat]) -> None:
    """The newest heartbeat of each of some nodes, where its stream still is the node's newest.

    What was heard of a node since, here or elsewhere, stays its last.
    """
    values = [_beat_parameters(beat) for beat in beats]
    if values:
        names = [each.name for each in fields(Beat) if each.name not in _NOT_SAID]
        seen = sa.bindparam("new_last_seen", type_=nodes.c.last_seen.type)
        newest = sa.case((nodes.c.last_seen > seen, nodes.c.last_seen), else_=seen)
        of_its_stream = nodes.c.stream_generation == sa.bindparam("stream")
        change = nodes.update().where(nodes.c.id == sa.bindparam("which"), of_its_stream)
        change = change.values(last_seen=newest)
        connection.execute(change.values({name: sa.bindparam(f"new_{name}") for name in names}), values)


def save_lost(connection: sa.Connection, lost: Mapping[str, int]) -> None:
    """Streams that have ended: node to generation."""
    change = nodes.update().where(
        nodes.c.id == sa.bindparam("which"), nodes.c.lost_generation < sa.bindparam("ended")
    )
    values = [{"which": node_id, "ended": generation} for node_id, generation in lost.items()]
    if values:
        connection.execute(change.values(lost_generation=sa.bindparam("ended")), values)


def save_report(
    connection: sa.Connection, node_id: str, generation: int, report: Report, now: datetime
) -> None:
    """What a node said about itself on stream `generation`, unless that is not its newest any more."""
    values = asdict(report) | {"models": list(report.models), "last_seen": now}
    change = nodes.update().where(nodes.c.id == node_id, nodes.c.stream_generation == generation)
    connection.execute(change.values(**values))


def _beat_parameters(beat: Beat) -> dict[str, Any]:
    said = asdict(beat)
    where = {"which": said.pop("node_id"), "stream": said.pop("stream_generation")}
    return (
        where
        | {f"new_{name}": value for name, value in said.items()}
        | {"new_fallbacks": list(beat.fallbacks)}
    )


def _node(row: Any) -> NodeRow:
    parts = {"fallbacks": tuple(row["fallbacks"]), "models": tuple(row["models"])}
    return NodeRow(**{**row, **parts})
