"""Alembic's entry: it runs on the connection that `cloud_sync.store.migrate` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from cloud_sync.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # The caller's transaction holds all of it, on SQLite too.
    transactional_ddl=True,
)
context.run_migrations()
