"""Bring the database to this release's tables, in one transaction, before anything else uses it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from cloud_sync.store.database import Database

_FOLDER = Path(__file__).parent / "migrations"
# Any fixed number: two replicas that start at once must not migrate at once.
_POSTGRES_LOCK = 0x706F7374


def upgrade(connection: sa.Connection) -> None:
    """Apply what is missing, on a connection that is inside a transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def migrate(database: Database) -> None:
    """`upgrade` on a database. Raises StoreUnavailable."""
    await database.run(upgrade)
