"""PostgreSQL: psycopg under SQLAlchemy's asynchronous engine, and a connection of its own that hears notices.

Imported only where it is used: it brings SQLAlchemy's whole ORM, which SQLite does without.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Final, TypeVar

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import make_conninfo
from sqlalchemy.ext.asyncio import create_async_engine

from cloud_sync.store.database import CONNECT_TIMEOUT_S, Waiting, Work, said_plainly
from cloud_sync.store.notices import CHANNEL, MISSED, TICK, Notice, Notices, read_notice

log = logging.getLogger(__name__)

T = TypeVar("T")

# Connections kept, and added under load.
POOL_CONNECTIONS: Final = 5
POOL_OVERFLOW_CONNECTIONS: Final = 10
# How long a caller waits for one of them, in seconds; then a stalled server is said to be busy.
POOL_TIMEOUT_S: Final = 30.0
# How long nothing may be heard before tables are looked at all the same: a change that was missed costs this much.
TICK_S: Final = 5.0
# Between attempts to listen again.
LISTEN_AGAIN_S: Final = 1.0
# A server that is gone without a word is noticed after 10 + 3 x 5 seconds.
_KEEPALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "connect_timeout": CONNECT_TIMEOUT_S,
}


class PostgresDatabase:
    """`work` runs in the engine's greenlet bridge."""

    def __init__(
        self,
        url: str,
        connections: int = POOL_CONNECTIONS,
        overflow: int = POOL_OVERFLOW_CONNECTIONS,
        timeout_s: float = POOL_TIMEOUT_S,
    ) -> None:
        self._url = sa.make_url(url)
        self._engine = create_async_engine(
            self._url.set(drivername="postgresql+psycopg"),
            pool_size=connections,
            max_overflow=overflow,
            pool_timeout=timeout_s,
            pool_pre_ping=True,
            connect_args=_KEEPALIVE,
            hide_parameters=True,  # what nodes sent is for nobody's log
        )
        self._waiting = Waiting()

    async def run(self, work: Work[T]) -> T:
        with self._waiting, said_plainly():
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

    async def notices(self) -> Notices:
        while True:
            try:
                async for notice in self._heard():
                    yield notice
            except (psycopg.OperationalError, OSError) as error:
                log.warning("notices not heard", extra={"error": type(error).__name__})
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def _heard(self) -> AsyncGenerator[Notice, None]:
        url = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        address = make_conninfo(url, **_KEEPALIVE)
        async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            yield Notice(MISSED)
            while True:
                async for said in connection.notifies(timeout=TICK_S):
                    yield read_notice(said.payload)
                yield Notice(TICK)

    async def close(self) -> None:
        await self._engine.dispose()
