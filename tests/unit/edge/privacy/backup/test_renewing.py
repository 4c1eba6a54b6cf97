"""Evidence of the machine is taken over whole, also where the backup gave its numbers to something else."""

from __future__ import annotations

import sqlite3

from sqlite_utils import Database

from edge.privacy.backup.renewing import take_over
from edge.store import audit, migrations
from edge.store.audit import Outcome


def a_store() -> Database:
    db = Database(sqlite3.connect(":memory:", isolation_level=None))
    migrations.site.apply(db)
    return db


def acted(db: Database, *objects: str) -> None:
    for name in objects:
        audit.append(db, "olga", "inbox.show", name, Outcome.DONE)


def told(db: Database) -> list[str]:
    return [row[0] for row in db.execute("SELECT object FROM audit ORDER BY id")]


def consent(db: Database, number: int, digest: bytes, at_ms: int) -> None:
    db.execute("INSERT INTO consents VALUES (?, ?, 'notice', 'v1', 1, ?)", [number, digest, at_ms])


def test_rows_that_were_numbered_twice_are_both_there() -> None:
    before, backup = a_store(), a_store()
    acted(before, "common", "here", "here too")
    for row in before.execute("SELECT * FROM audit WHERE object = 'common'").fetchall():
        backup.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(row))})", row)
    acted(backup, "in the backup")
    assert take_over(backup, before)["audit"] == 2
    assert told(backup) == ["common", "in the backup", "here too", "here"]
    assert take_over(before, backup)["audit"] >= 1
    assert set(told(before)) == set(told(backup))


def test_a_row_that_changed_later_is_the_same() -> None:
    """Refusals that were counted on, and a consent whose person was erased."""
    before, backup = a_store(), a_store()
    acted(before, "common")
    for row in before.execute("SELECT * FROM audit").fetchall():
        backup.execute(f"INSERT INTO audit VALUES ({', '.join('?' * len(row))})", row)
    before.execute("UPDATE audit SET count = 7")
    consent(before, 1, b"", 5)
    consent(backup, 1, b"digest", 5)
    assert take_over(backup, before) == {"audit": 0, "notices": 0, "consents": 0}
    consent(before, 2, b"other", 6)
    consent(backup, 2, b"other", 7)
    assert take_over(backup, before)["consents"] == 1
    assert [row[0] for row in backup.execute("SELECT at_ms FROM consents ORDER BY id")] == [5, 7, 6]
