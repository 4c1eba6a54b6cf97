"""Bring the database to this release's tables, in one transaction, before anything else uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cloud_sync.store.database import Database

if TYPE_CHECKING:
    from alembic.config import Config

# The newest file of `migrations/versions`; a test holds them together.
HEAD = "0004"
_FOLDER = Path(__file__).parent / "migrations"
# Any fixed number: two replicas that start at once must not migrate at once.
_POSTGRES_LOCK = 0x706F7374


def upgrade(connection: sa.Connection) -> None:
    """Apply what is missing, on a connection that is inside a transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
    if current(connection) == HEAD:
        return
    # Here, because most starts have nothing to migrate.
    from alembic import command

    command.upgrade(_config(connection), "head")


def _config(connection: sa.Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    return config


def upgrade_to(connection: sa.Connection, revision: str) -> bool:
    """Make an empty database's tables as a release before had them; False when no release of before had these."""
    from alembic.script import ScriptDirectory

    config = _config(connection)
    if revision not in {script.revision for script in ScriptDirectory(str(_FOLDER)).walk_revisions()}:
        return False
    from alembic import command

    command.upgrade(config, revision)
    return True


def current(connection: sa.Connection) -> str | None:
    """The newest migration that the database has; None: it is empty."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


async def migrate(database: Database) -> None:
    """`upgrade` on a database. Raises StoreUnavailable."""
    await database.run(upgrade)
