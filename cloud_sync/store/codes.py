"""Queries on one-time enrolment codes. Only a hash of the secret is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.schema import enrolment_codes as codes


@dataclass(frozen=True)
class CodeRow:
    """A code without its secret."""

    site: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    spent_at: datetime | None = None
    node_id: str | None = None
    replaces: str | None = None
    """The node whose place it gives, instead of a new one's."""


def add_code(connection: sa.Connection, secret_hash: bytes, code: CodeRow) -> None:
    """A new unspent code."""
    connection.execute(
        codes.insert().values(
            secret_hash=secret_hash,
            site=code.site,
            created_at=code.created_at,
            created_by=code.created_by,
            expires_at=code.expires_at,
            replaces=code.replaces,
        )
    )


def spend_code(connection: sa.Connection, secret_hash: bytes, now: datetime) -> str | None:
    """Spend a code: its site, or None when it is unknown, spent or expired. Of many at once, one succeeds."""
    change = codes.update().where(
        codes.c.secret_hash == secret_hash, codes.c.spent_at.is_(None), codes.c.expires_at > now
    )
    site: str | None = connection.execute(
        change.values(spent_at=now).returning(codes.c.site)
    ).scalar_one_or_none()
    return site


def place_of_code(connection: sa.Connection, secret_hash: bytes) -> str | None:
    """The node whose place a code gives; None for one that makes a new node, or is none."""
    query = sa.select(codes.c.replaces).where(codes.c.secret_hash == secret_hash)
    found: str | None = connection.execute(query).scalar_one_or_none()
    return found


def code_state(connection: sa.Connection, secret_hash: bytes, now: datetime) -> tuple[str, str]:
    """The site of a code, and whether it is open, spent, expired or unknown (then of no site)."""
    query = sa.select(codes.c.site, codes.c.spent_at, codes.c.expires_at)
    found = connection.execute(query.where(codes.c.secret_hash == secret_hash)).one_or_none()
    if found is None:
        return "", "unknown"
    return found.site, "spent" if found.spent_at else "expired" if found.expires_at <= now else "open"


def code_spent_by(connection: sa.Connection, secret_hash: bytes, node_id: str) -> None:
    """Remember which node a code became."""
    connection.execute(codes.update().where(codes.c.secret_hash == secret_hash).values(node_id=node_id))


def expire_codes(connection: sa.Connection, now: datetime) -> None:
    """Let every open code be over."""
    is_open = (codes.c.spent_at.is_(None), codes.c.expires_at > now)
    connection.execute(codes.update().where(*is_open).values(expires_at=now))


def recent_codes(connection: sa.Connection, now: datetime, spent_max: int) -> tuple[CodeRow, ...]:
    """Open codes, newest first, then the newest others."""
    columns = sa.select(
        codes.c.site,
        codes.c.created_at,
        codes.c.created_by,
        codes.c.expires_at,
        codes.c.spent_at,
        codes.c.node_id,
        codes.c.replaces,
    ).order_by(codes.c.created_at.desc())
    is_open = sa.and_(codes.c.spent_at.is_(None), codes.c.expires_at > now)
    found = [*connection.execute(columns.where(is_open))]
    found += connection.execute(columns.where(sa.not_(is_open)).limit(spent_max))
    return tuple(CodeRow(**row._mapping) for row in found)
