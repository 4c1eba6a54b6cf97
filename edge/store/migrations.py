"""Steps from an empty file to today's schema; each runs once, in a transaction of its own."""

from __future__ import annotations

import secrets

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from edge.store.schema import KEY_TABLES, TABLES, statements

EPOCH_BYTES = 16

site = Migrations("postern.site")
keys = Migrations("postern.keys")


@site(name="0001_first_schema")
def first_schema(db: Database) -> None:
    """All tables of the first release, and the epoch under which this store's outbox counts."""
    for statement in statements(TABLES):
        db.execute(statement)
    db.execute("INSERT INTO meta(name, value) VALUES ('epoch', ?)", [secrets.token_bytes(EPOCH_BYTES)])


@keys(name="0001_first_schema")
def first_key_schema(db: Database) -> None:
    """The table of subjects' data keys."""
    for statement in statements(KEY_TABLES):
        db.execute(statement)
