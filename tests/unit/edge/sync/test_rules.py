"""Back-off, roll-up of counters, tombstones, identity files: small rules as tables."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from time import perf_counter

import pytest
from sqlite_utils import Database

from edge.egress.identity import identity
from edge.egress.identity.identity import Enrolment, Identity
from edge.egress.records.guard import Guard, Refusal, refusal_of
from edge.store import counters, migrations, outbox
from edge.store.counters import count, observe
from edge.store.outbox import OutboxClass, append
from edge.sync.backoff import Backoff
from edge.sync.desired_keeper import change_owner
from edge.sync.events import ReadRows
from edge.sync.outgoing import _bury, _checked, read_outbox
from edge.sync.telemetry import BUCKETS_MAX, close_buckets

HOUR = 1_700_000_000 - 1_700_000_000 % 3600


@pytest.fixture
def db() -> Database:
    database = Database(sqlite3.connect(":memory:", isolation_level=None))
    migrations.site.apply(database)
    return database


def test_waits_grow_to_the_ceiling_and_jitter_takes_any_share() -> None:
    backoff = Backoff()
    ceilings = []
    for _ in range(4):
        wait, backoff = backoff.next(1.0)
        ceilings.append(wait)
    assert ceilings == [0.5, 8, 15, 15]
    assert backoff.next(0.0)[0] == 0.0


def test_a_good_link_resets_and_a_requested_pause_is_kept() -> None:
    tired = Backoff(attempt=9)
    assert tired.next(1.0, lived_s=60.0)[0] == 0.5
    assert tired.next(1.0, lived_s=1.0)[0] == 15.0
    assert Backoff().next(0.0, retry_after_s=20.0)[0] == 20.0
    assert Backoff().next(0.0, retry_after_s=1e9)[0] == 3600.0


def _count(db: Database, times: int, name: str, cell: str, now_s: int) -> None:
    for _ in range(times):
        count(db, name, cell, now_s=now_s)


def test_a_finished_bucket_becomes_one_row_that_may_leave(db: Database) -> None:
    _count(db, 7, "turns", "answer", HOUR + 3)
    _count(db, 5, "turns", "answer", HOUR + 3599)
    _count(db, 4, "turns", "refuse", HOUR + 11)
    observe(db, "turn_seconds", 0.07, now_s=HOUR)
    _count(db, 9, "turns", "answer", HOUR + 3600)
    assert close_buckets(db, HOUR + 3601, 3600) == 1
    (row,) = outbox.rows_after(db, 0, 10, 10_000)
    assert json.loads(row.payload) == {
        "start_s": HOUR,
        "length_s": 3600,
        "counts": {"turns": {"answer": 12}},
    }
    assert refusal_of(row.kind, row.payload, row.payload_hash) == ""
    assert close_buckets(db, HOUR + 3601, 3600) == 0
    assert close_buckets(db, HOUR + 7200, 3600) == 1


def test_long_offline_closes_a_few_buckets_at_a_time(db: Database) -> None:
    for hour in range(BUCKETS_MAX + 3):
        count(db, "turns", "answer", now_s=HOUR + hour * 3600)
    assert close_buckets(db, HOUR + 10**7, 3600) == BUCKETS_MAX
    assert close_buckets(db, HOUR + 10**7, 3600) == 3


@pytest.mark.proves("counts-only")
def test_text_cannot_become_a_counter(db: Database) -> None:
    for name, cell in (("turns", "Mrs Miller"), ("Mrs Miller", "answer")):
        with pytest.raises(ValueError, match="no such counter"):
            count(db, name, cell)


def test_every_counter_may_leave() -> None:
    counts = {name: dict.fromkeys(cells, 10**9) for name, cells in counters.CELLS.items()}
    payload = json.dumps(
        {"start_s": HOUR, "length_s": 3600, "counts": counts}, sort_keys=True, separators=(",", ":")
    ).encode()
    assert refusal_of("telemetry.bucket", payload, hashlib.sha256(payload).digest()) == ""


def test_counting_is_cheap(db: Database) -> None:
    db.conn.execute("BEGIN")
    best = min(_timed(db) for _ in range(20))
    assert best < 20e-6


def _timed(db: Database) -> float:
    start = perf_counter()
    for _ in range(50):
        count(db, "turns", "answer")
    return (perf_counter() - start) / 50


def test_a_refused_row_leaves_its_tombstone_in_the_line(db: Database) -> None:
    append(db, OutboxClass.STATE, "node.started", {"software_version": "0.1.0"})
    append(db, OutboxClass.STATE, "turn.text", {"text": "Mrs Miller called"})
    append(db, OutboxClass.STATE, "node.started", {"software_version": "0.1.0"})
    guard, wanted = Guard(b"k" * 32), ReadRows(0, 256, 900_000)
    _bury(
        db, [(row, verdict) for row, verdict in _checked(db, guard, wanted) if isinstance(verdict, Refusal)]
    )
    checked = _checked(db, guard, wanted)
    assert [row.sequence for row, _ in checked] == [1, 2, 3]
    assert [row.kind for row, _ in checked] == ["node.started", "outbox.refused", "node.started"]
    assert not any(isinstance(verdict, Refusal) for _, verdict in checked)
    (letter,) = db.execute("SELECT value FROM meta WHERE name LIKE 'dead_letter/%'").fetchone()
    assert b"turn.text" in letter
    assert b"Miller" not in letter


def test_what_waits_is_known_without_a_scan(db: Database) -> None:
    assert (read_outbox(db, 0).rows, read_outbox(db, 0).newest) == (0, 0)
    for _ in range(3):
        append(db, OutboxClass.STATE, "node.started", {"software_version": "0.1.0"})
    outbox.acknowledge(db, outbox.read_epoch(db), 1)
    waiting, stats = read_outbox(db, 0), outbox.stats(db)
    assert (waiting.rows, waiting.oldest, waiting.newest) == (
        stats.rows,
        stats.oldest_sequence,
        stats.newest_sequence,
    )
    outbox.acknowledge(db, outbox.read_epoch(db), 3)
    assert (read_outbox(db, 0).rows, read_outbox(db, 0).newest) == (0, 3)


def test_generations_start_again_under_a_new_identity(db: Database) -> None:
    assert not change_owner(db, "node-a")
    db.execute("INSERT INTO desired VALUES (7, x'00', x'00', 'applied', 0)")
    assert change_owner(db, "node-b")
    assert db.execute("SELECT count(*) FROM desired").fetchone() == (0,)


def _identity(name: str) -> Identity:
    enrolment = Enrolment(name, "Clinic", "cloud:1", "control-plane")
    return Identity(enrolment, f"key {name}".encode(), f"cert {name}".encode(), b"roots")


def test_an_identity_is_replaced_as_a_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash at each rename and folder sync: what is loaded afterwards is the old set or the new one."""
    folder = tmp_path / "courier"
    old, new = _identity("old"), _identity("new")
    seen = set()
    for crash_at in range(12):
        identity.store(folder, old)
        with monkeypatch.context() as patch:
            _crash_after(patch, crash_at)
            try:
                identity.store(folder, new)
            except KeyboardInterrupt:
                pass
        loaded = identity.load(folder)
        assert loaded in (old, new)
        seen.add(loaded.enrolment.node_id if loaded else "")
    assert seen == {"old", "new"}
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600


def _crash_after(patch: pytest.MonkeyPatch, renames: int) -> None:
    import os

    left = iter(range(renames))
    for name in ("replace", "rename"):
        real = getattr(os, name)

        def crashing(*args: object, _real: object = real) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            _real(*args)  # type: ignore[operator]

        patch.setattr(os, name, crashing)


def test_no_identity_before_enrolment(tmp_path: Path) -> None:
    assert identity.load(tmp_path) is None
