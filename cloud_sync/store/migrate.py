"""Bring the database to this release's tables, in one transaction, before anything else uses it."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from cloud_sync.store.database import Database

# The newest file of `migrations/versions`; a test holds them together.
HEAD = "0004"
_FOLDER = Path(__file__).parent / "migrations"
# Any fixed number: two replicas that start at once must not migrate at once.
_POSTGRES_LOCK = 0x706F7374


def upgrade(connection: sa.Connection) -> None:
    """Apply what is missing, on a connection that is inside a transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    if _current(connection) == HEAD:
        return
    # Here, because most starts have nothing to migrate.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


async def migrate(database: Database) -> None:
    """`upgrade` on a database. Raises StoreUnavailable."""
    await database.run(upgrade)
