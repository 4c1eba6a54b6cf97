"""The control plane's witness on either engine: whose ledger is what, and two replicas that are asked at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.fleet.admission import NodeRefused
from cloud_sync.fleet.witnessing import (
    ANEW,
    LOGS_PER_NODE_MAX,
    LOGS_WINDOW,
    MOVED,
    REFUSED,
    SUBMISSIONS_PER_NODE,
    Cosigned,
    Witnessing,
)
from cloud_sync.store.audit import audit_by_action
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import add_node
from cloud_sync.store.witnessed import (
    REFUSALS_PER_LOG_MAX,
    LogRow,
    RefusalRow,
    add_log,
    keep_refusal,
    last_witnessed,
    logs_of,
    newest_refusals,
)
from cloud_sync.witness.notes import cosigned_at, read_note, read_vkey
from cloud_sync.witness.rules import Conflict, Reason, Refusal, Submitted
from cloud_sync.witness.signing import create_witness_key, load_witness_key
from core.attempts import TooManyAttempts
from tests.cloud_store import opened_store
from tests.naive_log import NaiveLog
from tests.unit.cloud_sync.test_rules import NODE as ENROLLED
from tests.unit.cloud_sync.test_rules import NOW

NODE = replace(ENROLLED, certificate_expires=NOW + timedelta(days=1))
FINGERPRINT = NODE.certificate_fingerprint
OTHER = replace(NODE, id="node-other", certificate_fingerprint=b"other")


class Clock:
    """Goes on when told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
async def store(engine: str, tmp_path: Path) -> AsyncIterator[Database]:
    def nodes(connection: sa.Connection) -> None:
        add_node(connection, NODE)
        add_node(connection, OTHER)

    async with opened_store(tmp_path, engine) as opened:
        await opened.run(nodes)
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def witness(store: Database, clock: Clock, tmp_path: Path) -> Witnessing:
    create_witness_key(tmp_path / "witness.key")
    return Witnessing(store, load_witness_key(tmp_path / "witness.key"), clock)


def shown(log: NaiveLog, old: int) -> Submitted:
    return Submitted(old, log.proof(old), log.note())


async def submit(witness: Witnessing, log: NaiveLog, old: int) -> Cosigned | Conflict | Refusal:
    return await witness.submit(NODE.id, FINGERPRINT, log.key, shown(log, old))


async def test_a_ledger_that_grows_is_signed_from_the_first_time_on(
    witness: Witnessing, store: Database, clock: Clock
) -> None:
    log = NaiveLog()
    for old, new in ((0, 3), (3, 3), (3, 11)):
        clock.now += timedelta(minutes=1)
        found = await submit(witness, log.grow(new), old)
        assert isinstance(found, Cosigned)
        note = read_note(log.note() + found.line.encode())
        assert cosigned_at(note, read_vkey(witness.vkey)) == int(clock.now.timestamp())
    rows = await store.run(lambda connection: logs_of(connection, NODE.id))
    assert [(row.origin, row.key, row.size, row.first_at) for row in rows] == [
        (log.origin, log.key, 11, NOW + timedelta(minutes=1))
    ]
    assert await store.run(last_witnessed) == {NODE.id: clock.now}
    assert await store.run(lambda connection: audit_by_action(connection, REFUSED, 9)) == ()


async def test_a_restored_disk_is_refused_again_and_again_and_kept_once(
    witness: Witnessing, store: Database, clock: Clock
) -> None:
    log, image = NaiveLog().grow(9), NaiveLog().grow(5)
    image.private = log.private
    await submit(witness, log, 0)
    for _ in range(3):
        clock.now += timedelta(minutes=1)
        assert await submit(witness, image, 5) == Refusal(Reason.ROLLED_BACK)
    assert isinstance(await submit(witness, log.grow(12), 9), Cosigned)  # what was refused took no effect
    (kept,) = await store.run(lambda connection: newest_refusals(connection, NODE.id, 9))
    assert (kept.reason, kept.count, kept.remembered_size, kept.checkpoint) == (
        "rolled_back",
        3,
        9,
        image.note(),
    )
    (told,) = await store.run(lambda connection: audit_by_action(connection, REFUSED, 9))
    assert (told.subject, told.count) == (NODE.id, 3)
    assert "rolled_back" in told.detail


async def test_a_second_ledger_ends_the_first(witness: Witnessing, store: Database, clock: Clock) -> None:
    first, second = NaiveLog().grow(7), NaiveLog().grow(2)
    await submit(witness, first, 0)
    clock.now += timedelta(minutes=1)
    assert isinstance(await submit(witness, second, 0), Cosigned)
    assert await submit(witness, first.grow(8), 7) == Refusal(Reason.SET_ASIDE)
    assert isinstance(await submit(witness, second.grow(3), 2), Cosigned)
    (told,) = await store.run(lambda connection: audit_by_action(connection, ANEW, 9))
    assert told.detail == f"{second.origin} in place of {first.origin}, of which 7 entries were signed"


async def test_a_ledger_of_another_node_is_not_shown_by_this_one(witness: Witnessing) -> None:
    log = NaiveLog().grow(7)
    await submit(witness, log, 0)
    copied = await witness.submit(OTHER.id, b"other", log.key, shown(log.grow(8), 7))
    assert copied == Refusal(Reason.OTHER_NODE)
    forged = Submitted(7, (), NaiveLog().note(log.text()))
    assert await witness.submit(OTHER.id, b"other", log.key, forged) == Refusal(Reason.BAD_SIGNATURE)
    assert isinstance(await submit(witness, log, 7), Cosigned)


NEWER = replace(
    NODE, id="node-newer", certificate_fingerprint=b"newer", enrolled_at=NODE.enrolled_at + timedelta(days=1)
)


async def test_a_site_that_was_enrolled_again_goes_on_with_its_ledger(
    witness: Witnessing, store: Database, clock: Clock
) -> None:
    await store.run(lambda connection: add_node(connection, NEWER))
    log = NaiveLog().grow(7)
    await submit(witness, log, 0)
    await submit(witness, log.grow(8), 7)

    async def again(log: NaiveLog, old: int) -> Cosigned | Conflict | Refusal:
        return await witness.submit(NEWER.id, b"newer", log.key, shown(log, old))

    for changed, old in ((log.leaves[:6], 6), ([*log.leaves[:7], b"another"], 7), ([b"x", *log.leaves], 8)):
        assert await again(NaiveLog(changed, log.private), old) == Refusal(Reason.OTHER_NODE)
    assert await again(log.grow(9), 7) == Conflict(8)  # the last answer was lost
    assert await store.run(lambda connection: audit_by_action(connection, MOVED, 9)) == ()
    clock.now += timedelta(minutes=1)
    assert isinstance(await again(log, 8), Cosigned)
    assert isinstance(await again(log.grow(10), 9), Cosigned)
    assert await submit(witness, log, 10) == Refusal(Reason.OTHER_NODE)  # the first machine, if there are two
    (moved,) = await store.run(lambda connection: audit_by_action(connection, MOVED, 9))
    assert (moved.subject, moved.detail) == (
        NEWER.id,
        f"{log.origin} from {NODE.id}, of which 8 entries were signed",
    )
    (row,) = await store.run(lambda connection: logs_of(connection, NEWER.id))
    assert (row.origin, row.size, row.set_aside_at) == (log.origin, 10, None)
    kept = await store.run(lambda connection: newest_refusals(connection, NEWER.id, 9))
    assert {one.reason for one in kept} == {"other_node"}


async def test_a_newer_node_with_a_ledger_of_its_own_does_not_take_another(
    witness: Witnessing, store: Database
) -> None:
    await store.run(lambda connection: add_node(connection, NEWER))
    log, own = NaiveLog().grow(7), NaiveLog().grow(2)
    await submit(witness, log, 0)
    assert isinstance(await witness.submit(NEWER.id, b"newer", own.key, shown(own, 0)), Cosigned)
    taken = await witness.submit(NEWER.id, b"newer", log.key, shown(log, 7))
    assert taken == Refusal(Reason.OTHER_NODE)


async def test_a_log_that_another_node_shows_at_the_same_moment_ends_nothing(
    witness: Witnessing, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, taken = NaiveLog().grow(7), NaiveLog().grow(2)
    await submit(witness, log, 0)
    await witness.submit(OTHER.id, b"other", taken.key, shown(taken, 0))
    with monkeypatch.context() as before:  # the other node's row is not there yet
        before.setattr("cloud_sync.fleet.witnessing.get_log", lambda *_: None)
        assert await submit(witness, taken, 0) == Refusal(Reason.OTHER_NODE)
    assert isinstance(await submit(witness, log.grow(8), 7), Cosigned)


async def test_a_key_that_is_not_its_names_begins_nothing(witness: Witnessing, store: Database) -> None:
    log = NaiveLog().grow(7)
    found = await witness.submit(NODE.id, FINGERPRINT, NaiveLog().key, shown(log, 0))
    assert found == Refusal(Reason.UNKNOWN_LOG)
    assert await witness.submit(NODE.id, FINGERPRINT, log.key, Submitted(0, (), b"hello")) == Refusal(
        Reason.MALFORMED
    )
    assert await store.run(lambda connection: logs_of(connection, NODE.id)) == ()


async def test_two_replicas_do_not_sign_two_views(
    store: Database, witness: Witnessing, clock: Clock, tmp_path: Path
) -> None:
    second = Witnessing(store, load_witness_key(tmp_path / "witness.key"), clock)
    log = NaiveLog().grow(4)
    await submit(witness, log, 0)
    for size in range(5, 12):
        one = NaiveLog([*log.leaves], log.private).grow(size)
        other = NaiveLog([*log.leaves, b"another"], log.private).grow(size)
        found = await asyncio.gather(
            submit(witness, one, len(log.leaves)), submit(second, other, len(log.leaves))
        )
        assert sorted(isinstance(answer, Cosigned) for answer in found) == [False, True]
        assert Refusal(Reason.SPLIT_VIEW) in found
        log = one if isinstance(found[0], Cosigned) else other


async def test_two_first_ledgers_at_once_follow_one_another(store: Database, witness: Witnessing) -> None:
    logs = [NaiveLog().grow(3) for _ in range(4)]
    assert all(
        isinstance(found, Cosigned)
        for found in await asyncio.gather(*(submit(witness, log, 0) for log in logs))
    )
    rows = await store.run(lambda connection: logs_of(connection, NODE.id))
    assert sorted(row.set_aside_at is None for row in rows) == [False, False, False, True]


async def test_who_may_not_connect_is_not_witnessed(witness: Witnessing) -> None:
    with pytest.raises(NodeRefused):
        await witness.submit(NODE.id, b"another", b"", shown(NaiveLog().grow(1), 0))


async def test_a_node_that_asks_all_the_time_is_told_so(witness: Witnessing) -> None:
    log = NaiveLog().grow(1)
    for _ in range(SUBMISSIONS_PER_NODE):
        await submit(witness, log, 0)
    with pytest.raises(TooManyAttempts):
        await submit(witness, log, 0)
    assert await witness.submit(OTHER.id, b"other", log.key, shown(log, 0)) == Refusal(Reason.OTHER_NODE)


async def test_what_is_kept_of_a_node_has_a_bound(witness: Witnessing, store: Database, clock: Clock) -> None:
    def fill(connection: sa.Connection) -> None:
        for number in range(LOGS_PER_NODE_MAX):
            first_at = NOW + timedelta(hours=min(number, 1)) - LOGS_WINDOW
            add_log(connection, LogRow(f"log-{number}", NODE.id, b"k", 1, b"r", first_at))
        for number in range(REFUSALS_PER_LOG_MAX + 5):
            note = b"%d" % number
            keep_refusal(connection, RefusalRow(NODE.id, "log-1", "split_view", 1, 1, note, NOW, NOW))

    await store.run(fill)
    assert isinstance(await submit(witness, NaiveLog().grow(1), 0), Cosigned)
    another = NaiveLog().grow(1)
    assert await submit(witness, another, 0) == Refusal(Reason.UNKNOWN_LOG)
    clock.now += timedelta(hours=1)
    assert isinstance(await submit(witness, another, 0), Cosigned), "it ends by itself"
    kept = await store.run(lambda connection: newest_refusals(connection, NODE.id, 1_000))
    assert len(kept) == REFUSALS_PER_LOG_MAX
