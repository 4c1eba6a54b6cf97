"""A throw-away PostgreSQL for a test run, and a database of its own for each test."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg

START_TIMEOUT_S = 60
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

    def address(self, database: str = "postgres") -> str:
        return f"postgresql://postern@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The address of a new, empty database."""
        name = f"test_{next(_numbers)}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.address(name)


@contextmanager
def postgres_server(folder_of: Path, *, durable: bool = False) -> Iterator[PostgresServer]:
    """A server on a free port, until the end of the block; `durable`: with fsync, as in production."""
    # PostgreSQL does not run as root; Debian's package brings this account.
    account = "postgres" if os.geteuid() == 0 else None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
            options if durable else f"{options} -c fsync=off",
            "start",
        )
        try:
            yield PostgresServer(port)
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")
