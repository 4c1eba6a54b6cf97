"""The store on either engine: migrations give the tables of the schema, a fault half-way leaves nothing."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.store import database as stores
from cloud_sync.store.audit import REFUSAL_WINDOW, AuditFilter, AuditRow, add_audit, add_refusal, search_audit
from cloud_sync.store.codes import CodeRow, add_code, recent_codes, spend_code
from cloud_sync.store.database import Database, StoreBusy, StoreUnavailable, create_store_key, open_database
from cloud_sync.store.desired import DesiredRow, add_desired, current_desired, next_generation, revision
from cloud_sync.store.migrate import HEAD, migrate, upgrade
from cloud_sync.store.postgres import PostgresDatabase
from cloud_sync.store.schema import audit, metadata
from core.files import private_folder
from tests.postgres import PostgresServer

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SETTINGS = CloudSettings()


@pytest.fixture
def paths(tmp_path: Path) -> CloudPaths:
    found = CloudPaths(tmp_path)
    private_folder(found.keys)
    create_store_key(found)
    return found


def _settings(url: str) -> CloudSettings:
    return CloudSettings.model_validate({"database": {"url": url}})


@pytest.fixture
async def store(paths: CloudPaths, engine: str) -> AsyncIterator[Database]:
    opened = open_database(paths, _settings(engine))
    await migrate(opened)
    yield opened
    await opened.close()


async def test_migrations_give_the_tables_of_the_schema(store: Database) -> None:
    await migrate(store)  # a second time changes nothing
    differences = await store.run(
        lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
    )
    assert differences == []


def test_the_newest_migration_is_the_one_that_starts_look_for() -> None:
    folder = Path(stores.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]


async def test_a_migration_that_breaks_half_way_leaves_nothing_behind(
    paths: CloudPaths, empty_engine: str
) -> None:
    opened = open_database(paths, _settings(empty_engine))

    def broken(connection: sa.Connection) -> None:
        upgrade(connection)
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        await opened.run(broken)
    assert await opened.run(lambda connection: sa.inspect(connection).get_table_names()) == []
    await migrate(opened)
    await opened.close()


async def test_the_file_is_encrypted_and_private(paths: CloudPaths) -> None:
    store = open_database(paths, SETTINGS)
    await migrate(store)
    await store.run(lambda connection: add_audit(connection, AuditRow(NOW, "ada", "note", "plainly-visible")))
    for file in paths.database.parent.iterdir():
        assert b"plainly-visible" not in file.read_bytes()
        assert b"CREATE TABLE" not in file.read_bytes()
    assert stat.S_IMODE(paths.database.stat().st_mode) == 0o600
    await store.close()


async def test_another_key_is_said_plainly(paths: CloudPaths) -> None:
    first = open_database(paths, SETTINGS)
    await migrate(first)
    await first.close()
    create_store_key(paths)
    other = open_database(paths, SETTINGS)
    with pytest.raises(StoreUnavailable, match="key"):
        await migrate(other)
    await other.close()
    (paths.keys / "store.key").unlink()
    with pytest.raises(StoreUnavailable, match="key is missing"):
        open_database(paths, SETTINGS)


async def test_callers_beyond_the_limit_are_told_to_come_back(
    store: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "WAITING_MAX", 0)
    with pytest.raises(StoreBusy):
        await store.run(revision)


def test_a_sqlite_that_can_corrupt_its_file_is_refused(
    paths: CloudPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores.sqlcipher3.dbapi2, "sqlite_version_info", (3, 40, 1))
    with pytest.raises(StoreUnavailable):
        open_database(paths, SETTINGS)


async def test_instants_come_back_to_the_microsecond(store: Database) -> None:
    await store.run(lambda connection: add_audit(connection, AuditRow(NOW, "ada", "note", "x")))
    assert await store.run(lambda connection: connection.execute(sa.select(audit.c.at)).scalar_one()) == NOW


async def test_a_code_is_spent_once_and_only_in_time(store: Database) -> None:
    later = NOW + timedelta(hours=1)
    row = CodeRow("St. Anna", NOW, "ada", later)
    await store.run(lambda connection: add_code(connection, b"one", row))
    await store.run(lambda connection: add_code(connection, b"two", row))
    assert await store.run(lambda connection: spend_code(connection, b"one", NOW)) == "St. Anna"
    assert await store.run(lambda connection: spend_code(connection, b"one", NOW)) is None
    assert await store.run(lambda connection: spend_code(connection, b"two", later)) is None
    assert await store.run(lambda connection: spend_code(connection, b"three", NOW)) is None
    found = await store.run(lambda connection: recent_codes(connection, NOW, 20))
    assert [code.spent_at for code in found] == [None, NOW]


async def test_generations_only_grow_and_the_newest_counts(store: Database) -> None:
    async def want(scope: str, digest: bytes) -> int:
        def write(connection: sa.Connection) -> int:
            row = DesiredRow(next_generation(connection), scope, digest, b"{}")
            add_desired(connection, row, NOW, "ada")
            return row.generation

        return await store.run(write)

    numbers = [await want("group:a", b"1"), await want("group:b", b"2"), await want("group:a", b"3")]
    assert numbers == sorted(set(numbers))
    wanted = await store.run(current_desired)
    assert {scope: row.hash for scope, row in wanted.items()} == {"group:a": b"3", "group:b": b"2"}
    assert await store.run(revision) == 3


@pytest.mark.parametrize(
    ("later", "rows"),
    [
        (REFUSAL_WINDOW - timedelta(microseconds=1), [3]),
        (REFUSAL_WINDOW, [1, 2]),
        (REFUSAL_WINDOW + timedelta(microseconds=1), [1, 2]),
    ],
)
async def test_a_refusal_counts_on_for_an_hour(store: Database, later: timedelta, rows: list[int]) -> None:
    first = AuditRow(NOW, "unknown", "handshake.refused", "", "not_tls")
    await store.run(lambda connection: add_refusal(connection, first))
    again = replace(first, at=NOW + later, count=2)
    await store.run(lambda connection: add_refusal(connection, again))
    await store.run(lambda connection: add_refusal(connection, replace(again, detail="no_certificate")))
    found = await store.run(lambda connection: search_audit(connection, AuditFilter(), 10))
    assert [row.count for row in reversed(found.rows) if row.detail == "not_tls"] == rows
    assert sum(row.count for row in found.rows) == 5


async def test_a_postgresql_that_stalls_or_only_reads_is_said_as_what_it_is(postgres: PostgresServer) -> None:
    store = PostgresDatabase(postgres.empty_tables(), connections=1, overflow=0, timeout_s=0.1)

    def stand_still(connection: sa.Connection) -> None:
        connection.execute(sa.text("SELECT pg_sleep(0.5)"))

    def write_on_a_standby(connection: sa.Connection) -> None:
        connection.execute(sa.text("SET TRANSACTION READ ONLY"))
        add_audit(connection, AuditRow(NOW, "test", "note", "n"))

    first = asyncio.create_task(store.run(stand_still))
    await asyncio.sleep(0)  # it has the only connection
    with pytest.raises(StoreBusy):
        await store.run(revision)
    await first
    with pytest.raises(StoreUnavailable, match="read-only"):
        await store.run(write_on_a_standby)
    await store.close()
