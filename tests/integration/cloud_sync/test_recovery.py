"""A control plane that is put back from an older backup: what was lost is said, nothing older is applied, no number
is given out twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from pyrage.x25519 import Identity

from cloud_sync.backups import Made, check_name, make_backup, recovery_recipient
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.steering import read_document
from cloud_sync.folder import load_identities
from cloud_sync.restoring import SQLITE, Restored, Wanted, restore, with_database
from cloud_sync.services import ControlPlane, control_plane, utc_now
from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.incarnation import current_incarnation
from cloud_sync.store.leases import give_back, take
from cloud_sync.store.schema import audit, metadata, nodes
from cloud_sync.store.tables import LEFT_OUT
from core.archives import BackupExists, BackupFailed, BackupUnusable, RestoreRefused
from edge.sync.desired import DesiredRefused, Progress, check
from edge.sync.frames import DesiredState
from postern.v1 import sync_pb2
from tests.integration.cloud_sync.conftest import Running, running
from tests.integration.cloud_sync.fleet_node import Link, row
from tests.postgres import PostgresServer

DAY = timedelta(hours=24)
OLDER, NEWER = (read_document(f'answer_mode = "{mode}"') for mode in ("extractive", "generative"))


@asynccontextmanager
async def services(paths: CloudPaths) -> AsyncIterator[ControlPlane]:
    async with control_plane(paths, load_settings(paths), load_identities(paths)) as plane:
        yield plane


def backup(paths: CloudPaths, file: Path) -> tuple[Made, Identity]:
    """Made a day ago."""
    recovery_recipient(paths)
    identity = Identity.from_str(paths.recovery_key.read_text().strip())
    return make_backup(paths, load_settings(paths), file, replace=False, now=utc_now() - DAY), identity


def put_back(paths: CloudPaths, file: Path, identity: Identity, **how: str | bool) -> Restored:
    wanted = Wanted(file, [identity], replace=True)
    return restore(paths, replace(wanted, **how), "test", utc_now())  # type: ignore[arg-type]


async def told(link: Link) -> sync_pb2.DesiredState:
    while True:
        frame = await link.receive()
        if isinstance(frame, sync_pb2.DesiredState):
            return frame


def progress_of(frame: sync_pb2.DesiredState) -> Progress:
    return Progress(
        observed_generation=frame.generation,
        applied_generation=frame.generation,
        applied_hash=frame.hash,
    )


def as_node_reads(frame: sync_pb2.DesiredState) -> DesiredState:
    return DesiredState(frame.generation, frame.hash, frame.document)


async def counted(plane: ControlPlane) -> dict[str, int]:
    """Rows of each table that a backup has."""

    def count(connection: sa.Connection) -> dict[str, int]:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name not in LEFT_OUT
        }

    return await plane.database.run(count)


@dataclass
class Before:
    """What happened before and after the backup."""

    made: Made
    identity: Identity
    applied: sync_pb2.DesiredState
    stream: int
    audit_id: int


async def live_a_day(cloud: Running, link_to: Callable[[], Link], file: Path) -> Before:
    """Rows 1 to 5 and a desired state, a backup, then rows 6 to 10 and another desired state."""
    async with link_to() as link:
        await cloud.control.steering.set_for_group("default", OLDER, "test")
        await link.hello()
        await told(link)
        await link.open_upload(1, 5)
        await link.batch([row(number) for number in range(1, 6)])
        made, identity = backup(cloud.paths, file)
        await link.batch([row(number) for number in range(6, 11)])
        await cloud.control.steering.set_for_group("default", NEWER, "test")
        applied = await told(link)

    def newest(connection: sa.Connection) -> int:
        add_audit(connection, AuditRow(utc_now(), "test", "note", "after the backup"))
        return connection.execute(sa.select(sa.func.max(audit.c.id))).scalar_one()

    return Before(made, identity, applied, link.generation, await cloud.control.database.run(newest))


async def test_a_restore_a_day_old_loses_nothing_in_silence_and_goes_back_nowhere(
    cloud_dir: CloudPaths, tmp_path: Path
) -> None:
    file = tmp_path / "monday.age"
    async with running(cloud_dir) as cloud:
        node = await cloud.enrolled()
        open_code = await cloud.control.enrolment.new_code("St. Anna", "test", "h:1")
        before = await live_a_day(cloud, lambda: Link(node), file)
    done = put_back(cloud_dir, file, before.identity)
    assert (done.incarnation, done.nodes) == (1, 1)
    assert done.before is not None
    assert (done.before / "cloud.toml").is_file()
    async with running(cloud_dir) as cloud, Link(replace(node, sync_endpoint=cloud.ready.sync)) as link:
        # What the node has applied is newer than what the control plane knows of.
        welcome = await link.hello((before.applied.generation, before.applied.hash))
        assert welcome.stream_generation > before.stream
        stale = await told(link)
        with pytest.raises(DesiredRefused, match="generation"):
            check(as_node_reads(stale), progress_of(before.applied))
        # Its outbox begins after what it had trimmed.
        ready = await link.open_upload(11, 12)
        assert ready.committed_sequence == 10
        assert (await link.batch([row(11), row(12)])).committed_sequence == 12
        gaps = await cloud.control.overview.gaps_of(node.id)
        assert [(gap.first_seq, gap.last_seq) for gap in gaps] == [(6, 10)]
        await cloud.control.watch.look(lambda _: None)
        (alert,) = await cloud.control.alerts.list()
        assert (alert.kind, alert.subject, alert.detail) == ("gap", node.id, "Rows 6 to 10: lost.")
        # What is wanted next is above all that was ever told.
        await cloud.control.steering.set_for_group("default", OLDER, "test")
        fresh = await told(link)
        assert fresh.generation > before.applied.generation
        check(as_node_reads(fresh), progress_of(before.applied))
        states = {code.state for code in await cloud.control.enrolment.codes()}
        assert "open" not in states, open_code

        def first(connection: sa.Connection) -> int:
            least = sa.select(sa.func.min(audit.c.id)).where(audit.c.action == "plane.restored")
            return connection.execute(least).scalar_one()

        assert await cloud.control.database.run(first) > before.audit_id


@pytest.mark.long
async def test_the_same_backup_restored_twice_gives_no_number_twice(
    cloud_dir: CloudPaths, tmp_path: Path
) -> None:
    file = tmp_path / "monday.age"
    async with services(cloud_dir) as plane:
        await plane.steering.set_for_group("default", OLDER, "test")
    _, identity = backup(cloud_dir, file)
    generations = []
    for _ in range(2):
        put_back(cloud_dir, file, identity)
        async with services(cloud_dir) as plane:
            generations.append((await plane.steering.set_for_group("default", NEWER, "test")).generation)
    assert generations[0] < generations[1]


async def test_every_row_and_file_comes_back(cloud: Running, tmp_path: Path) -> None:
    node = await cloud.enrolled("Zürich \u2603")
    async with Link(node) as link:
        await link.open(1, 3)
        await link.batch([row(1), row(2), row(3)])
    made, identity = backup(cloud.paths, tmp_path / "a.age")  # while it serves
    assert made.size == made.file.stat().st_size
    whole = await counted(cloud.control)
    other = CloudPaths(tmp_path / "other")
    done = restore(other, Wanted(made.file, [identity]), "test", utc_now())
    assert done.before is None
    async with services(other) as plane:
        restored = await counted(plane)
        written = {"incarnations": 1, "audit": whole["audit"] + 1, "changes": 1}  # by the restore
        assert restored == whole | written
        view, _ = await plane.overview.node(node.id)
        assert view.site == "Zürich \u2603"
    assert not other.recovery_key.exists()
    for name in ("authority.key.pem", "enrolment.key.pem", "store.key", "recovery.pub"):
        assert (other.keys / name).read_bytes() == (cloud.paths.keys / name).read_bytes()


def test_a_backup_is_put_nowhere_where_it_would_be_lost(cloud_dir: CloudPaths, tmp_path: Path) -> None:
    settings = load_settings(cloud_dir)
    for file in (cloud_dir.root / "in.age", tmp_path / "nowhere" / "a.age", tmp_path):
        with pytest.raises(BackupFailed):
            make_backup(cloud_dir, settings, file, replace=False, now=utc_now())
    (tmp_path / "there.age").write_bytes(b"older")
    with pytest.raises(BackupExists):
        make_backup(cloud_dir, settings, tmp_path / "there.age", replace=False, now=utc_now())
    assert (tmp_path / "there.age").read_bytes() == b"older"


@pytest.mark.parametrize(
    "damage",
    ["cut", "flipped", *(pytest.param(one, marks=pytest.mark.long) for one in ("other key", "nothing"))],
)
async def test_what_is_not_whole_changes_nothing(cloud_dir: CloudPaths, tmp_path: Path, damage: str) -> None:
    async with services(cloud_dir):
        pass  # makes the tables
    made, identity = backup(cloud_dir, tmp_path / "a.age")
    content = made.file.read_bytes()
    if damage == "cut":
        made.file.write_bytes(content[:-40])
    elif damage == "flipped":
        middle = len(content) // 2
        flipped = bytes([content[middle] ^ 1])
        made.file.write_bytes(content[:middle] + flipped + content[middle + 1 :])
    elif damage == "other key":
        identity = Identity.generate()
    else:
        made.file.write_bytes(b"")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(BackupUnusable):
        put_back(cloud_dir, made.file, identity)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    async with services(cloud_dir) as plane:
        assert await plane.database.run(current_incarnation) is None


async def test_a_folder_that_is_there_is_kept_unless_it_is_said_and_nothing_runs_on_it(
    cloud_dir: CloudPaths, tmp_path: Path
) -> None:
    file, identity = tmp_path / "a.age", Identity.generate()
    file.write_bytes(b"no backup")
    with pytest.raises(RestoreRefused, match="not empty"):
        restore(cloud_dir, Wanted(file, [identity]), "test", utc_now())
    async with services(cloud_dir) as plane:
        await plane.database.run(lambda connection: take(connection, "alerts", "a replica", DAY))
        with pytest.raises(RestoreRefused, match="runs"):
            put_back(cloud_dir, file, identity)
        await plane.database.run(lambda connection: give_back(connection, "alerts", "a replica"))
    with pytest.raises(BackupUnusable):
        put_back(cloud_dir, file, identity)
    cloud_dir.database.write_bytes(b"damaged, which is why a backup is put back" * 100)
    with pytest.raises(BackupUnusable):
        put_back(cloud_dir, file, identity)


@pytest.mark.parametrize(
    "name",
    [
        "folder/",
        "folder/../x",
        "folder//x",
        "folder//etc/passwd",
        "folder/a\0b",
        "folder/store",
        "folder/recovery-key",
        "folder/./x",
        "folder/" + "x" * 1001,
    ],
)
def test_nothing_climbs_out_of_the_folder(name: str) -> None:
    with pytest.raises(BackupUnusable):
        check_name(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\n", 'a = 1\n\n[database]\nurl = "postgresql://h/d"\n'),
        ('[database]\n# why\nurl = ""\n', '[database]\n# why\nurl = "postgresql://h/d"\n'),
        ('[database]\n\n[sync]\nurl = "x"\n', '[database]\nurl = "postgresql://h/d"\n\n[sync]\nurl = "x"\n'),
    ],
)
def test_the_settings_get_another_database(text: str, expected: str) -> None:
    assert with_database(text, "postgresql://h/d") == expected


async def test_rows_go_from_one_engine_to_the_other_and_back(
    cloud_dir: CloudPaths, tmp_path: Path, postgres: PostgresServer
) -> None:
    async with running(cloud_dir) as cloud:
        node = await cloud.enrolled()
        before = await live_a_day(cloud, lambda: Link(node), tmp_path / "a.age")
    address = postgres.new_database()
    put_back(cloud_dir, before.made.file, before.identity, database=address)
    assert load_settings(cloud_dir).database.url.get_secret_value() == address
    async with services(cloud_dir) as plane:
        there = await counted(plane)
        newer = await plane.steering.set_for_group("default", NEWER, "test")
        assert newer.generation > before.applied.generation

        def written(connection: sa.Connection) -> int:
            add_audit(connection, AuditRow(utc_now(), "test", "note", "afterwards"))
            return connection.execute(sa.select(sa.func.max(audit.c.id))).scalar_one()

        assert await plane.database.run(written) > before.audit_id
    assert there["records"] == 5
    again = make_backup(cloud_dir, load_settings(cloud_dir), tmp_path / "b.age", replace=False, now=utc_now())
    with pytest.raises(RestoreRefused, match="holds a control plane"):
        restore(CloudPaths(tmp_path / "c"), Wanted(again.file, [before.identity]), "test", utc_now())
    back = put_back(cloud_dir, again.file, before.identity, database=SQLITE)
    assert back.incarnation == 2
    async with services(cloud_dir) as plane:
        assert (await counted(plane))["records"] == 5


@pytest.mark.long
async def test_settings_of_another_engine_give_way(cloud_dir: CloudPaths, tmp_path: Path) -> None:
    async with services(cloud_dir):
        pass
    made, identity = backup(cloud_dir, tmp_path / "a.age")
    put_back(cloud_dir, made.file, identity, database=SQLITE)
    assert load_settings(cloud_dir).database.url.get_secret_value() == ""
    async with services(cloud_dir) as plane:
        assert await plane.database.run(lambda connection: list(connection.execute(sa.select(nodes)))) == []
