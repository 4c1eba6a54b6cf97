"""Documents that differ: a pair is kept once, while both stand as they were, and no more than there is room for."""

from __future__ import annotations

import pytest
import sqlcipher3
from sqlite_utils import Database

from edge.knowledge import differences
from edge.knowledge.differences import ROWS_MAX, Side
from edge.store import migrations

ONE = Side("a.md", 1, "The deposit is £20.")
OTHER = Side("b.md", 4, "The deposit is £30.")


@pytest.fixture
def db() -> Database:
    made = Database(sqlcipher3.connect(":memory:", isolation_level=None))
    migrations.site.apply(made)
    for name, version in (("a.md", 1), ("b.md", 4)):
        made.execute(
            "INSERT INTO documents(id, title, audience, media_type, content_hash, version, added_ms)"
            " VALUES (?, 'T', 'public', 'text/markdown', x'00', ?, 1)",
            [name, version],
        )
    return made


def test_a_pair_is_kept_once_in_either_order(db: Database) -> None:
    differences.note(db, ONE, OTHER, 10)
    differences.note(db, OTHER, ONE, 20)
    (found,) = differences.listing(db)
    assert (found.first, found.second, found.noted_ms) == (ONE, OTHER, 20)
    assert differences.count(db) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE documents SET version = 5 WHERE id = 'b.md'",
        "UPDATE documents SET state = 'retired' WHERE id = 'a.md'",
        "DELETE FROM documents WHERE id = 'a.md'",
    ],
)
def test_it_is_gone_once_one_side_was_mended(db: Database, change: str) -> None:
    differences.note(db, ONE, OTHER, 10)
    db.execute(change)
    assert differences.listing(db) == []
    assert differences.count(db) == 0


def test_there_is_a_limit(db: Database) -> None:
    for number in range(ROWS_MAX + 3):
        differences.note(db, ONE, Side("b.md", 4, f"The deposit is £{number + 100}."), number)
    assert len(differences.listing(db)) == ROWS_MAX
