"""What waits for the control plane is bounded by class; what makes way is named, and no sequence is missing."""

from __future__ import annotations

import json
import random

import pytest
import sqlcipher3
from sqlite_utils import Database

from edge.egress.records.guard import refusal_of
from edge.store import migrations, outbox
from edge.store.outbox import OutboxClass, append
from edge.store.outbox_quotas import GAP_KIND, GAPS, ROW_BYTES, OutboxFull, set_quotas, sizes

AUDIT, STATE, METRICS = OutboxClass.AUDIT, OutboxClass.STATE, OutboxClass.METRICS
# Of a row in these tests: `{"n":NNNN}`.
PAYLOAD = 10
ROW = PAYLOAD + ROW_BYTES


@pytest.fixture
def db() -> Database:
    made = Database(sqlcipher3.connect(":memory:", isolation_level=None))
    migrations.site.apply(made)
    return made


def add(db: Database, *classes: OutboxClass) -> None:
    for outbox_class in classes:
        append(db, outbox_class, "a.kind", {"n": 1000})


def kept(db: Database) -> list[tuple[int, str]]:
    """(sequence, class of a row; of a gap record what it says)."""
    rows = db.execute('SELECT sequence, "class", kind, payload FROM outbox ORDER BY sequence').fetchall()
    found = []
    for sequence, number, kind, payload in rows:
        said = json.loads(payload) if kind == GAP_KIND else {}
        shown = f"{said['first']}-{said['last']} {said['outbox_class']}" if said else OutboxClass(number).name
        found.append((sequence, shown))
    return found


@pytest.mark.parametrize("outbox_class", [STATE, METRICS])
def test_below_and_at_its_quota_nothing_makes_way(db: Database, outbox_class: OutboxClass) -> None:
    set_quotas(db, {outbox_class: 32 * ROW})
    add(db, *[outbox_class] * 32)
    assert len(kept(db)) == 32
    add(db, outbox_class)
    # One row over, and a sixteenth of the quota more, so that not every append pays for it.
    assert kept(db)[0] == (3, f"1-3 {outbox_class.name.lower()}")
    assert len(kept(db)) == 1 + 30


def test_what_makes_way_is_counted_with_its_bytes_and_may_leave(db: Database) -> None:
    set_quotas(db, {METRICS: 16 * ROW})
    add(db, *[METRICS] * 17)
    (payload, payload_hash, number) = db.execute(
        'SELECT payload, payload_hash, "class" FROM outbox WHERE kind = ?', [GAP_KIND]
    ).fetchone()
    assert json.loads(payload) == {
        "first": 1, "last": 2, "bytes": 2 * PAYLOAD, "outbox_class": "metrics", "reason": "quota"
    }  # fmt: skip
    assert number == STATE
    assert refusal_of(GAP_KIND, payload, payload_hash) == ""


def test_records_next_to_each_other_become_one(db: Database) -> None:
    set_quotas(db, {METRICS: 16 * ROW, STATE: 2**20})
    add(db, STATE, *[METRICS] * 16, STATE)
    add(db, METRICS)
    assert kept(db)[:2] == [(1, "STATE"), (3, "2-3 metrics")]
    add(db, METRICS, METRICS)
    assert kept(db)[:2] == [(1, "STATE"), (5, "2-5 metrics")]
    set_quotas(db, {STATE: 1})
    add(db, STATE)
    assert kept(db)[0] == (5, "1-5 mixed")


def test_audit_is_refused_and_gives_way_to_nobody(db: Database) -> None:
    set_quotas(db, {AUDIT: 2 * ROW, STATE: 4 * ROW, METRICS: 4 * ROW})
    add(db, AUDIT, AUDIT, *[STATE, METRICS] * 20)
    with pytest.raises(OutboxFull):
        add(db, AUDIT)
    assert [sequence for sequence, shown in kept(db) if shown == "AUDIT"] == [1, 2]
    outbox.acknowledge(db, outbox.read_epoch(db), 1)
    add(db, AUDIT)


def test_sizes_hold_whatever_happens_and_no_sequence_is_missing(db: Database) -> None:
    chance = random.Random(3)
    set_quotas(db, {AUDIT: 10**6, STATE: 30 * ROW, METRICS: 20 * ROW})
    epoch = outbox.read_epoch(db)
    acknowledged = written = 0
    for _ in range(400):
        if chance.random() < 0.1:
            acknowledged = chance.randint(acknowledged, written)
            outbox.acknowledge(db, epoch, acknowledged)
        else:
            add(db, chance.choice((STATE, METRICS, METRICS, AUDIT)))
            written += 1
        due = acknowledged + 1
        for row in outbox.rows_after(db, acknowledged, 10_000, 10**9):
            first = json.loads(row.payload)["first"] if row.kind == GAP_KIND else row.sequence
            assert first <= due <= row.sequence
            due = row.sequence + 1
        assert due == written + 1
    found = db.execute(
        f"SELECT iif(kind = '{GAP_KIND}', {GAPS}, \"class\") AS counted, count(*), sum(length(payload) + {ROW_BYTES}) "
        "FROM outbox GROUP BY counted"
    ).fetchall()
    counted = db.execute("SELECT class, rows, bytes FROM outbox_sizes WHERE rows > 0").fetchall()
    assert set(found) == set(counted)
    assert sizes(db)[METRICS].bytes <= 20 * ROW
    assert sizes(db)[STATE].bytes <= 30 * ROW
    assert outbox.stats(db).rows == sum(rows for _, rows, _ in counted)


def test_records_of_what_made_way_take_no_room_from_rows(db: Database) -> None:
    set_quotas(db, {STATE: 16 * ROW})
    # Audit between them, which stays: each row that makes way leaves a record of its own.
    add(db, *[STATE, AUDIT] * 100)
    assert 14 <= sizes(db)[STATE].rows <= 16
    records = [shown for _, shown in kept(db) if shown.endswith(" state")]
    assert len(records) == 100 - sizes(db)[STATE].rows
    # No more of them than rows beside them.
    assert len(records) <= sizes(db)[AUDIT].rows
    # A record that cannot arrive becomes another kind of row, and is counted as one.
    before = sizes(db)[STATE]
    db.execute("UPDATE outbox SET kind = 'k', payload = x'00' WHERE sequence = 1")
    assert (sizes(db)[STATE].rows, sizes(db)[STATE].bytes) == (before.rows + 1, before.bytes + 1 + ROW_BYTES)


def test_a_store_with_rows_is_counted_when_it_is_migrated() -> None:
    old = Database(sqlcipher3.connect(":memory:", isolation_level=None))
    migrations.site.apply(old, stop_before="0012_outbox_quotas")
    columns = "class, kind, payload, payload_hash, created_ms"
    insert = f"INSERT INTO outbox({columns}) VALUES (?, 'k', x'0102', x'00', 1)"
    for number in (3, 3, 2):
        old.execute(insert, [number])
    migrations.site.apply(old)
    found = sizes(old)
    assert [(found[c].rows, found[c].bytes) for c in (AUDIT, STATE, METRICS)] == [(0, 0), (1, 130), (2, 260)]
