"""Queries on the registry: signed metadata as it is served, and the list of what was published."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from cloud_sync.store.schema import artifacts, nodes, registry_metadata

VENDOR: Final = "vendor"
DIRECTOR: Final = "director"
SHARED: Final = ""
"""In the place of a node: what all nodes are served."""

ROOT: Final = "root"
# A node in the middle of a refresh still finds what the timestamp that it has names; roots are kept for ever.
VERSIONS_KEPT: Final = 3


@dataclass(frozen=True)
class ArtifactRow:
    """A package as it was published."""

    target: str
    kind: str
    name: str
    version: str
    manifest_sha256: str
    manifest_bytes: int
    size_bytes: int
    published_at: datetime
    published_by: str
    withdrawn_at: datetime | None = None


_ARTIFACT = [artifacts.c[field.name] for field in fields(ArtifactRow)]
_KEY = (registry_metadata.c.repository, registry_metadata.c.node_id, registry_metadata.c.role)


def metadata_of(
    connection: sa.Connection, repository: str, node_id: str, role: str, version: int | None = None
) -> bytes | None:
    """One file of metadata: that version, or the newest; None: there is none."""
    query = sa.select(registry_metadata.c.content).where(*_same(repository, node_id, role))
    if version is not None:
        query = query.where(registry_metadata.c.version == version)
    query = query.order_by(registry_metadata.c.version.desc()).limit(1)
    return connection.execute(query).scalar_one_or_none()


def add_metadata(
    connection: sa.Connection, repository: str, node_id: str, role: str, version: int, content: bytes
) -> None:
    """A newer version; of all but roots, those before the last VERSIONS_KEPT go."""
    row = {"repository": repository, "node_id": node_id, "role": role, "version": version}
    connection.execute(registry_metadata.insert().values(**row, content=content))
    if role == ROOT:
        return
    same = _same(repository, node_id, role)
    kept = sa.select(registry_metadata.c.version).where(*same)
    oldest = kept.order_by(registry_metadata.c.version.desc()).limit(1).offset(VERSIONS_KEPT - 1)
    connection.execute(
        registry_metadata.delete().where(*same, registry_metadata.c.version < oldest.scalar_subquery())
    )


def forget_minted(connection: sa.Connection) -> None:
    """Have everything that this control plane signs by itself signed anew, above whatever nodes have seen.

    For a restored database: what it holds may be older than what nodes hold.
    """
    minted = sa.or_(
        registry_metadata.c.repository == DIRECTOR, registry_metadata.c.role.in_(("snapshot", "timestamp"))
    )
    connection.execute(registry_metadata.delete().where(minted, registry_metadata.c.role != ROOT))


def lock_metadata(connection: sa.Connection, node_id: str) -> bool:
    """Until the transaction ends, nobody else signs for this node (or, with SHARED, for all); whether it exists.

    On SQLite every transaction is alone anyway.
    """
    if node_id == SHARED:
        query = sa.select(registry_metadata.c.version).where(*_same(VENDOR, SHARED, ROOT))
        first = query.order_by(registry_metadata.c.version).limit(1).with_for_update()
        return connection.execute(first).scalar_one_or_none() is not None
    query = sa.select(nodes.c.id).where(nodes.c.id == node_id)
    return connection.execute(query.with_for_update()).scalar_one_or_none() is not None


def add_artifact(connection: sa.Connection, row: ArtifactRow) -> None:
    """A package that was published; one that was withdrawn comes back in its place."""
    connection.execute(artifacts.delete().where(artifacts.c.target == row.target))
    connection.execute(artifacts.insert().values(**asdict(row)))


def withdraw_artifact(connection: sa.Connection, target: str, now: datetime) -> bool:
    """Mark it as withdrawn; whether there was one that was not."""
    change = artifacts.update().where(artifacts.c.target == target, artifacts.c.withdrawn_at.is_(None))
    return connection.execute(change.values(withdrawn_at=now)).rowcount == 1


def all_artifacts(connection: sa.Connection) -> tuple[ArtifactRow, ...]:
    """Every package, withdrawn ones too, by kind and name, newest first."""
    query = sa.select(*_ARTIFACT).order_by(
        artifacts.c.kind, artifacts.c.name, artifacts.c.published_at.desc(), artifacts.c.target
    )
    return tuple(ArtifactRow(**row._mapping) for row in connection.execute(query))


def artifacts_named(connection: sa.Connection, targets: Iterable[str]) -> tuple[ArtifactRow, ...]:
    """Those of `targets` that are published and not withdrawn."""
    query = sa.select(*_ARTIFACT).where(
        artifacts.c.target.in_(list(targets)), artifacts.c.withdrawn_at.is_(None)
    )
    return tuple(ArtifactRow(**row._mapping) for row in connection.execute(query))


def _same(repository: str, node_id: str, role: str) -> list[sa.ColumnElement[bool]]:
    return [column == value for column, value in zip(_KEY, (repository, node_id, role), strict=True)]
