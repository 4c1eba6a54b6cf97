"""A throw-away PostgreSQL for a test run, and a database of its own for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import sqlalchemy as sa

from cloud_sync.store.migrate import upgrade
from cloud_sync.store.schema import metadata
from tests.ports import free_port

START_TIMEOUT_S = 60
# What a test writes need not outlive the machine.
FORGETFUL = " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
_numbers = count(1)


def programs() -> Path | None:
    """The folder of `initdb`, where Debian keeps it off the PATH; None without a PostgreSQL."""
    found = shutil.which("initdb")
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else candidates[-1].parent if candidates else None


@dataclass(frozen=True)
class PostgresServer:
    """A running server."""

    port: int
    _shared: list[str] = field(default_factory=list)

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://postern@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of a new, empty database. It takes seconds on a machine that is busy."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.address(name)

    def empty_tables(self) -> str:
        """The address of a database with the control plane's tables, without rows: the same for all, one at a time."""
        if not self._shared:
            self._shared.append(self.new_database())
        made = sa.create_engine(sa.make_url(self._shared[0]).set(drivername="postgresql+psycopg"))
        with made.begin() as connection:
            upgrade(connection)
            connection.execute(sa.text("SET LOCAL lock_timeout = '20s'"))  # for who still holds a row
            # TRUNCATE makes new files for each table: 45 ms, thirty times what so few rows take.
            emptied = ";".join(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables))
            connection.exec_driver_sql(emptied)
            connection.exec_driver_sql("SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'")
        made.dispose()
        return self._shared[0]


@contextmanager
def postgres_server(folder_of: Path, *, durable: bool = False) -> Iterator[PostgresServer]:
    """A server on a free port, until the end of the block; `durable`: with fsync, as in production."""
    # PostgreSQL does not run as root; Debian's package brings this account.
    account = "postgres" if os.geteuid() == 0 else None
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postern-pg-") as folder:
        if account:
            shutil.chown(folder, account)
        data = f"{folder}/data"

        def call(program: str, *arguments: str) -> None:
            subprocess.run(
                [str(folder_of / program), *arguments],
                check=True,
                user=account,
                cwd=folder,
                stdout=subprocess.DEVNULL,
                timeout=START_TIMEOUT_S,
            )

        call("initdb", "-D", data, "-U", "postern", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        call(
            "pg_ctl",
            "-D",
            data,
            "-w",
            "-l",
            f"{folder}/log",
            "-o",
            options if durable else options + FORGETFUL,
            "start",
        )
        try:
            yield PostgresServer(port)
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
