"""Purging by age: every table on its day and nothing early, gone from free pages and the log too, holds and doubts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlite_utils import Database

from core.clock_trust import DAY_MS, DOUBT_MS
from edge.chat.session import Channel, Sessions
from edge.config import LimitsSection, RetentionSection, SitePaths
from edge.privacy import retaining, retention
from edge.store import audit_check
from edge.store.connection import connect_to_read
from edge.store.schema import KEY_TABLES
from edge.store.store import Store
from edge.store.subjects import create_key
from tests import aged_rows
from tests.aged_rows import ROWS, START_MS, Clocks, found_in_files, row_due, rules, year
from tests.raw_pages import log_of
from tests.unit.edge.privacy.retaining_rig import NOTICE, put, retaining_of


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


async def count(store: Store, table: str) -> int:
    def run(db: Database) -> int:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    return await (store.read_keys if table in KEY_TABLES else store.read)(run)


def test_a_row_of_every_table_that_is_purged_is_tried() -> None:
    assert ROWS.keys() == rules().keys()


@pytest.mark.proves("retention")
async def test_a_row_goes_when_it_is_due_and_not_a_moment_earlier(store: Store, clocks: Clocks) -> None:
    rows = [row_due(table, START_MS + 10 * DAY_MS, 0) for table in ROWS]
    await aged_rows.put(store, rows)
    keeper = retaining_of(store, clocks)
    for due_ms in sorted({row.due_ms for row in rows}):
        clocks.run(due_ms - 1 - clocks.wall_ms)
        assert (await keeper.look()).rows == {}
        clocks.run(1)
        assert (await keeper.look()).rows == {row.table: 1 for row in rows if row.due_ms == due_ms}
        assert (await keeper.look()).rows == {}


@pytest.mark.proves("retention")
@pytest.mark.parametrize("days", [12, pytest.param(365, marks=pytest.mark.long)])
async def test_a_year_in_steps_of_a_day(store: Store, paths: SitePaths, clocks: Clocks, days: int) -> None:
    """Each step looks at every mark of every table in the bytes of both files: what is due is nowhere, the rest is."""
    rows = year(days)
    await aged_rows.put(store, rows)
    keeper = retaining_of(store, clocks)
    assert found_in_files(store, paths) == {row.mark for row in rows}
    clocks.run(3_600_000)
    for _ in range(days + 1):
        await keeper.look()
        assert log_of(paths.store).stat().st_size == 0
        assert found_in_files(store, paths) == {row.mark for row in rows if row.due_ms > clocks.wall_ms}
        clocks.run(DAY_MS)
    assert not found_in_files(store, paths)


async def test_terms_of_the_site_hold(store: Store, clocks: Clocks) -> None:
    keeper = retaining_of(store, clocks, RetentionSection(unanswered_days=7))
    await put(store, "unanswered", START_MS - 7 * DAY_MS)
    await put(store, "unanswered", START_MS - 7 * DAY_MS + 1)
    assert (await keeper.look()).rows == {"unanswered": 1}


@pytest.mark.parametrize("extra", [-1, 0, 1])
async def test_much_goes_in_steps_between_which_turns_are_kept(
    store: Store, clocks: Clocks, extra: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "STEP_ROWS", 10)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    for number in range(20 + extra):
        await put(store, "unanswered", number)
    keeper = retaining_of(store, clocks)
    monkeypatch.setattr(keeper, "_pause", pause)
    assert (await keeper.look()).rows == {"unanswered": 20 + extra}
    assert len(pauses) == (1 if extra < 0 else 2)


@pytest.mark.parametrize(
    "table", ["audit", "consents", "lan_uses", "text_uses", "intent_counts", "daily_counts"]
)
async def test_no_purge_reads_the_whole_of_a_table_that_may_be_large(store: Store, table: str) -> None:
    values = {"until": 0, "rows": 1, "notice": "", "subjects": "[]", "digests": "[]", "labels": "[]"}
    query = f"EXPLAIN QUERY PLAN {retaining.purge_statement(table, rules()[table])}"
    plan = await store.read(lambda db: [row[3] for row in db.execute(query, values)])
    assert not [step for step in plan if step.startswith(f"SCAN {table}")]


@pytest.mark.parametrize(("rows", "gone"), [(2, 0), (3, 0), (4, 1)])
async def test_beyond_as_many_as_there_may_be_the_oldest_go(
    store: Store, clocks: Clocks, rows: int, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "CONSENTS_MAX", 3)
    for number in range(rows):
        await put(store, "consents", START_MS, f"version {number}")
    assert (await retaining_of(store, clocks).look()).rows.get("consents", 0) == gone
    left = await store.read(
        lambda db: db.execute("SELECT notice_version FROM consents ORDER BY id").fetchall()
    )
    assert left == [(f"version {number}",) for number in range(gone, rows)]


async def test_rows_of_audit_that_were_purged_are_not_missed(store: Store, clocks: Clocks) -> None:
    for dated in (0, 0, START_MS):
        await put(store, "audit", dated)
    await retaining_of(store, clocks).look()
    totals = await store.read(audit_check.totals)
    assert (totals.written, totals.purged, await count(store, "audit")) == (3, 2, 1)


# --- what must stay ---


async def test_a_notice_stays_while_somebody_refers_to_it(store: Store, clocks: Clocks) -> None:
    keeper = retaining_of(store, clocks)
    for version in ("consented", "shown by a program", "unused", NOTICE):
        await put(store, "notices", 0, version)
    await put(store, "consents", START_MS, "consented")
    await put(store, "api_keys", START_MS)
    await store.write(lambda db: db.execute("UPDATE api_keys SET notice_version = 'shown by a program'"))
    assert (await keeper.look()).rows == {"notices": 1}
    assert await store.read(lambda db: {row[0] for row in db.execute("SELECT version FROM notices")}) == {
        "consented",
        "shown by a program",
        NOTICE,
    }


async def test_a_key_that_works_is_not_purged(store: Store, clocks: Clocks) -> None:
    await put(store, "api_keys", 0)
    await store.write(lambda db: db.execute("UPDATE api_keys SET revoked_ms = NULL"))
    assert (await retaining_of(store, clocks).look()).rows == {}


HELD, FREE = "patient-7", "patient-8"


def of_session(db: Database, subject: str) -> None:
    db.execute(
        "INSERT INTO sessions(id, subject, token_hash, channel, locale, created_ms, expires_ms) "
        "VALUES (:id, :id, x'', 'api', 'en', 0, 0)",
        {"id": subject},
    )
    for table in ("lan_uses", "text_uses"):
        db.execute(ROWS[table], {"at": 0, "mark": "m", "session": subject})


@pytest.mark.proves("legal-hold")
@pytest.mark.parametrize(
    ("table", "prepare"),
    [
        ("lan_uses", of_session),
        ("text_uses", of_session),
        ("consents", None),
        ("audit", None),
    ],
)
async def test_what_is_of_somebody_under_a_hold_stays(
    store: Store, clocks: Clocks, table: str, prepare: Callable[[Database, str], None] | None
) -> None:
    await store.write_keys(
        lambda db: db.execute("INSERT INTO holds VALUES (?, 'case 1', 'dpo', 0, NULL)", [HELD])
    )
    for subject in (HELD, FREE):
        digest = store.digests.of(subject)
        if prepare:
            await store.write(lambda db, subject=subject: prepare(db, subject))
        elif table == "audit":
            await put(store, table, 0, f"subject:{digest.hex()[:16]}")
        else:
            await put(store, table, 0)
            await store.write(
                lambda db, digest=digest: db.execute(
                    "UPDATE consents SET digest = ? WHERE digest = x'00'", [digest]
                )
            )
    keeper = retaining_of(store, clocks)
    assert (await keeper.look()).rows[table] == 1
    assert await count(store, table) == 1
    await store.write_keys(lambda db: db.execute("DELETE FROM holds"))
    assert (await keeper.look()).rows[table] == 1


# --- people without a conversation ---


async def subjects(store: Store) -> tuple[set[str], set[str]]:
    """Whose name is kept, and who has a key."""
    named = await store.read(lambda db: {row[0] for row in db.execute("SELECT id FROM subjects")})
    with_key = await store.read_keys(
        lambda keys: {row[0] for row in keys.execute("SELECT subject FROM subject_keys")}
    )
    return named, with_key


async def test_what_a_stop_left_of_somebody_goes(store: Store, clocks: Clocks) -> None:
    here = (await Sessions(store, LimitsSection()).create(Channel.API, "en", "patient-7")).session
    await store.write(lambda db: db.execute("INSERT INTO subjects VALUES ('patient-8', 0)"))
    for subject in ("patient-8", "patient-9", "session:gone", "ticket:KX47PQ"):
        await store.write_keys(lambda keys, subject=subject: create_key(keys, subject))
    await retaining_of(store, clocks).look()
    assert here.key.subject == "patient-7"
    # A ticket's key is the business of the tickets.
    assert await subjects(store) == ({"patient-7"}, {"patient-7", "ticket:KX47PQ"})


@pytest.mark.parametrize(("people", "left"), [(2, 0), (3, 0), (4, 1)])
async def test_many_of_them_go_in_parts(
    store: Store, clocks: Clocks, people: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retaining, "IDLE_MAX", 3)
    for number in range(people):
        await store.write_keys(lambda keys, number=number: create_key(keys, f"patient-{number}"))
    await retaining_of(store, clocks).look()
    assert len((await subjects(store))[1]) == left


# --- clocks that are wrong ---


@pytest.mark.proves("retention")
async def test_a_clock_that_leaps_ahead_purges_nothing_until_it_is_put_right(
    store: Store, clocks: Clocks
) -> None:
    keeper = retaining_of(store, clocks)
    await put(store, "audit", START_MS)
    await keeper.look()
    clocks.wall_ms += 7 * 366 * DAY_MS
    held_back = await keeper.look()
    assert held_back.rows == {}
    assert held_back.doubted_s == DOUBT_MS // 1000
    clocks.wall_ms -= 7 * 366 * DAY_MS
    clocks.run(3_600_000)
    put_right = await keeper.look()
    assert (put_right.rows, put_right.doubted_s) == ({}, 0)
    assert await count(store, "audit") == 1


async def test_a_clock_that_leaps_ahead_is_believed_after_a_day(store: Store, clocks: Clocks) -> None:
    keeper = retaining_of(store, clocks)
    await put(store, "unanswered", START_MS)
    await keeper.look()
    clocks.wall_ms += 40 * DAY_MS
    await keeper.look()
    for _ in range(23):
        clocks.run(3_600_000)
        assert (await keeper.look()).rows == {}
    clocks.run(3_600_000)
    assert (await keeper.look()).rows == {"unanswered": 1}


async def test_a_clock_that_was_set_back_purges_nothing_early_and_nothing_twice(
    store: Store, clocks: Clocks
) -> None:
    keeper = retaining_of(store, clocks)
    await put(store, "unanswered", START_MS - 30 * DAY_MS)
    await put(store, "unanswered", START_MS)
    assert (await keeper.look()).rows == {"unanswered": 1}
    clocks.wall_ms -= 400 * DAY_MS
    for _ in range(30):
        clocks.run(DAY_MS)
        assert (await keeper.look()).rows == {}
    assert await count(store, "unanswered") == 1


@pytest.mark.parametrize(
    ("days", "held_back", "alarming"), [(1, False, False), (3, True, False), (60, True, True)]
)
async def test_after_the_machine_was_off_for_more_than_a_day_what_is_due_waits_a_day(
    store: Store, clocks: Clocks, days: int, held_back: bool, alarming: bool
) -> None:
    await retaining_of(store, clocks).look()
    await put(store, "operator_sessions", START_MS)
    clocks.wall_ms += days * DAY_MS
    clocks.boot_ms, clocks.boot = 5000, "another"
    keeper = retaining_of(store, clocks)
    first = await keeper.look()
    assert (first.doubted_s > 0, first.alarming) == (held_back, alarming)
    assert first.rows == ({} if held_back else {"operator_sessions": 1})
    clocks.run(DAY_MS)
    await keeper.look()
    assert await count(store, "operator_sessions") == 0


async def test_a_doubt_is_remembered_over_a_start_of_the_node(store: Store, clocks: Clocks) -> None:
    await put(store, "unanswered", START_MS)
    await retaining_of(store, clocks).look()
    clocks.wall_ms += 40 * DAY_MS
    for _ in range(2):
        assert (await retaining_of(store, clocks).look()).doubted_s > 0
    assert await count(store, "unanswered") == 1


# --- the log ---


@pytest.mark.proves("retention")
async def test_the_logs_are_emptied(store: Store, paths: SitePaths) -> None:
    await put(store, "unanswered", 5)
    assert await store.tidy(all_pages=False)
    assert log_of(paths.store).stat().st_size == 0
    assert log_of(paths.subject_keys).stat().st_size == 0


async def test_a_reader_that_stays_is_waited_for_no_longer_than_a_write_may_wait(
    store: Store, paths: SitePaths
) -> None:
    await put(store, "unanswered", 5)
    other = connect_to_read(paths.store, store.keys.store)
    other.execute("BEGIN")
    other.execute("SELECT * FROM unanswered").fetchall()
    await put(store, "unanswered", 6)
    assert not await store.tidy(all_pages=False)
    other.execute("COMMIT")
    assert await store.tidy(all_pages=False)
    other.conn.close()
