"""A store that came through every migration has the columns that the schema describes, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlcipher3
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from edge.store import migrations
from edge.store.schema import KEY_TABLES, TABLES, Table, statements


def fresh() -> Database:
    return Database(sqlcipher3.connect(":memory:", isolation_level=None))


def columns(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """Per table its columns: name, type, not null, default, place in the primary key."""
    names = [
        row[0]
        for row in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    return {
        name: [tuple(row[1:]) for row in db.execute(f"PRAGMA table_info({name})")]
        for name in sorted(names)
        if not name.startswith("_")
    }


def indexes(db: Database) -> set[str]:
    """Names of the indexes on the site's own tables; the migrations' own table begins with an underscore."""
    rows = db.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    return {name for name, table in rows if not table.startswith("_")}


@pytest.mark.parametrize(
    ("steps", "tables"),
    [(lambda: migrations.site, TABLES), (lambda: migrations.keys, KEY_TABLES)],
    ids=["site", "keys"],
)
def test_migrated_is_as_described(steps: Callable[[], Migrations], tables: dict[str, Table]) -> None:
    migrated, described = fresh(), fresh()
    steps().apply(migrated)
    for statement in statements(tables):
        described.execute(statement)
    assert columns(migrated) == columns(described)
    assert indexes(migrated) == indexes(described)


def test_a_store_of_the_first_release_keeps_its_rows() -> None:
    db = fresh()
    migrations.site.apply(db, stop_before="0002_front_desk")
    db.execute(
        "INSERT INTO documents(id, title, audience, media_type, content_hash, version, added_ms)"
        " VALUES ('a.md', 'A', 'public', 'text/markdown', x'00', 3, 1)"
    )
    db.execute("INSERT INTO handoffs VALUES ('ACDEFG', 'turn', 'session', 'waiting', 5)")
    migrations.site.apply(db)
    assert db.execute("SELECT version, state, owner FROM documents").fetchall() == [(3, "approved", "")]
    assert db.execute("SELECT ticket, state, queue FROM handoffs").fetchall() == [
        ("ACDEFG", "waiting", "desk")
    ]
