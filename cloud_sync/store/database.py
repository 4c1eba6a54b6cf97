"""One way to the database for both engines: a function of a synchronous connection, run in one transaction.

SQLite is SQLCipher's (encrypted, and without the WAL-reset bug of the system's SQLite; see ADR 0004) on one thread
of its own. PostgreSQL is in `postgres`. Queries live in the modules beside this one.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
import sqlcipher3.dbapi2
from sqlalchemy.pool import StaticPool

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.store.notices import TICK, Notice, Notices
from core.errors import ExitCode, PosternError
from core.files import private_folder, write_atomic

T = TypeVar("T")
Work = Callable[[sa.Connection], T]

# Callers that may wait for the one SQLite thread, or for a PostgreSQL connection. A reconnect storm of a thousand
# nodes fits; beyond it a caller is told to come back, because waiting longer helps nobody.
WAITING_MAX = 2048
# Another process (the command line) may hold the write lock for a moment; milliseconds.
BUSY_TIMEOUT_MS = 5_000
# Another process (the command line) may change something and can tell nobody; a look costs a fifth of a millisecond.
LOOK_INTERVAL_S = 0.25
# Callers of SQLite that are committed together, and how long the first of them is kept waiting for the others.
GROUP_CALLERS_MAX = 64
GROUP_S = 0.02
STORE_KEY_BYTES = 32
# A server of PostgreSQL that does not answer is away.
CONNECT_TIMEOUT_S = 10
# PostgreSQL's codes for "for now": it only reads (a standby after a failover), it ended a transaction that stood still.
_AWAY_STATES = {"25006", "25P03", "25P04"}
READS_ONLY = "reads_only"
"""An option of a connection: its transaction only reads."""
# SQLite versions in which a WAL reset can corrupt the file.
WAL_RESET_BUG = ((3, 7, 0), (3, 51, 2))


class StoreUnavailable(PosternError):
    """The database cannot be opened or reached."""

    code = "store_unavailable"
    title = "The control plane's database cannot be used"
    remedy = "Check the database address, that it runs, and that the folder's keys belong to its store."
    status = 503
    exit_code = ExitCode.NOT_REACHABLE


class StoreBusy(PosternError):
    """Too many callers wait for the database."""

    code = "store_busy"
    title = "The control plane is busy"
    remedy = "Try again in a few seconds."
    status = 503


class Database(Protocol):
    """What the queries run on."""

    async def run(self, work: Work[T]) -> T:
        """`work(connection)` in one transaction; returns after the commit. Raises StoreBusy, StoreUnavailable."""
        ...

    def notices(self) -> Notices:
        """What any process says with `notify`, for ever; TICK now and then, MISSED when some may be missing."""
        ...

    async def close(self) -> None:
        """Release connections and threads."""
        ...


class Waiting:
    """Counts callers so that their number has a limit."""

    def __init__(self) -> None:
        self.callers = 0

    def __enter__(self) -> None:
        if self.callers >= WAITING_MAX:
            raise StoreBusy(f"{self.callers} callers wait for the database.")
        self.callers += 1

    def __exit__(self, *_: object) -> None:
        self.callers -= 1


class SqliteDatabase:
    """One connection on one thread: SQLite has one writer anyway, and order is then plain to see.

    Who waits together is committed together, each in a savepoint of its own: a thousand nodes that report at once
    cost some dozens of fsyncs.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._engine = _sqlite_engine(path, key)
        self._waiting = Waiting()
        self._line: deque[tuple[Work[Any], Future[Any]]] = deque()

    async def run(self, work: Work[T]) -> T:
        with self._waiting:
            answer: Future[T] = Future()
            self._line.append((work, answer))
            self._thread.submit(self._serve)
            return await asyncio.wrap_future(answer)

    def _serve(self) -> None:
        """Commit the next of the line; those who were served with others before find nothing to do."""
        if not self._line:
            return
        done: list[tuple[Future[Any], _Outcome]] = []
        try:
            with said_plainly(), self._engine.begin() as connection:
                ends = time.monotonic() + GROUP_S
                while self._line and len(done) < GROUP_CALLERS_MAX and (not done or time.monotonic() < ends):
                    work, answer = self._line.popleft()
                    if answer.set_running_or_notify_cancel():
                        done.append((answer, _Outcome()))
                        done[-1][1].of(connection, work)
        except BaseException as error:
            for answer in [answer for answer, _ in done] or self._next():
                answer.set_exception(error)
            return
        for answer, outcome in done:
            outcome.tell(answer)

    def _next(self) -> list[Future[Any]]:
        """The caller for whom no transaction could be begun."""
        _, answer = self._line.popleft() if self._line else (None, None)
        return [answer] if answer is not None and answer.set_running_or_notify_cancel() else []

    async def notices(self) -> Notices:
        while True:
            yield Notice(TICK)
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)


class _Outcome:
    """What one caller's work gave, to be told when it is durable."""

    def __init__(self) -> None:
        self._result: Any = None
        self._error: BaseException | None = None

    def of(self, connection: sa.Connection, work: Work[Any]) -> None:
        """Do the work, or leave no trace of it. Raises what takes the whole transaction with it."""
        try:
            with said_plainly(), connection.begin_nested():
                self._result = work(connection)
        except BaseException as error:
            driver = connection.connection.driver_connection
            if driver is None or not driver.in_transaction:
                raise  # a full disk, say: SQLite has rolled back what was before, too
            self._error = error

    def tell(self, answer: Future[Any]) -> None:
        if self._error is not None:
            answer.set_exception(self._error)
        else:
            answer.set_result(self._result)


class said_plainly:
    """Turns 'cannot connect' and 'cannot read' into StoreUnavailable, 'no connection is free' into StoreBusy; other
    faults are bugs and pass.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, sa.exc.TimeoutError):
            raise StoreBusy("No connection to the database became free in time.") from error
        if isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | OSError):
            raise StoreUnavailable(_reason(error)) from error
        if isinstance(error, sa.exc.DBAPIError) and getattr(error.orig, "sqlstate", None) in _AWAY_STATES:
            raise StoreUnavailable(_reason(error)) from error
        if isinstance(error, sa.exc.DatabaseError) and "not a database" in str(error.orig):
            raise StoreUnavailable("The store is not readable with the key in the folder.") from error


def _reason(error: BaseException) -> str:
    # `orig` has the engine's words and no parameters of the statement.
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return f"The database said: {cause}."


def open_database(paths: CloudPaths, settings: CloudSettings) -> Database:
    """The database that `cloud.toml` names. Raises StoreUnavailable when its key is missing or SQLite too old."""
    url = settings.database.url.get_secret_value()
    if url:
        from cloud_sync.store.postgres import PostgresDatabase

        return PostgresDatabase(url)
    key = _store_key(paths)
    private_folder(paths.database.parent)
    return SqliteDatabase(paths.database, key)


def _store_key(paths: CloudPaths) -> bytes:
    try:
        return (paths.keys / "store.key").read_bytes()
    except OSError as error:
        remedy = f"Restore {paths.keys}/store.key from the backup; without it the store cannot be read."
        raise StoreUnavailable("The store's key is missing.", remedy=remedy) from error


def own_engine(paths: CloudPaths, settings: CloudSettings) -> sa.Engine:
    """An engine for who reads or writes everything in one long transaction, without an event loop.

    Raises StoreUnavailable.
    """
    url = settings.database.url.get_secret_value()
    if url:
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
        return sa.create_engine(
            address, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}, hide_parameters=True
        )
    private_folder(paths.database.parent)
    return _sqlite_engine(paths.database, _store_key(paths))


@contextmanager
def snapshot(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that sees one moment of everything and keeps nobody from writing. It must not write itself.

    Raises StoreUnavailable.
    """
    seen = {"isolation_level": "REPEATABLE READ"} if engine.name == "postgresql" else {READS_ONLY: True}
    with said_plainly(), engine.connect().execution_options(**seen) as connection, connection.begin():
        yield connection


def insert_of(connection: sa.Connection) -> Any:
    """The engine's own INSERT, which knows what to do with a row that is there."""
    # Imported here: only one of them is ever needed.
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert
    from sqlalchemy.dialects import sqlite

    return sqlite.insert


def create_store_key(paths: CloudPaths) -> None:
    """A new random key for the SQLite store."""
    write_atomic(paths.keys / "store.key", secrets.token_bytes(STORE_KEY_BYTES))


def _sqlite_engine(path: Path, key: bytes) -> sa.Engine:
    if WAL_RESET_BUG[0] <= sqlcipher3.dbapi2.sqlite_version_info <= WAL_RESET_BUG[1]:
        version = sqlcipher3.dbapi2.sqlite_version
        raise StoreUnavailable(
            f"SQLite {version} can corrupt its file.", remedy="Install sqlcipher3 0.6.4 or newer."
        )

    def connect() -> Any:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # isolation_level None: we say BEGIN ourselves, as SQLAlchemy's documentation advises for SQLite.
        connection = sqlcipher3.dbapi2.connect(str(path), isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits with the power
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    engine = sa.create_engine(
        "sqlite://",
        creator=connect,
        module=sqlcipher3.dbapi2,
        poolclass=StaticPool,
        hide_parameters=True,  # what nodes sent is for nobody's log
    )
    sa.event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    # IMMEDIATE: a transaction that reads first and writes later would fail when another process writes between.
    reads_only = connection.get_execution_options().get(READS_ONLY, False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
