"""Replicas: what a node costs the control plane's database, and how fast one replica hears what another has changed.

On SQLite and on PostgreSQL with fsync: streams opened, heartbeats saved, a look at a thousand nodes after a change for
all and for one. On PostgreSQL between two replicas: from the call that changes something to the other's hearing of it,
alone and while changes come as fast as they can. No gRPC and no TLS: the bench `fleet` has those.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.fleet.steering import Steering
from cloud_sync.services import utc_now
from cloud_sync.store.database import Database, create_store_key, open_database
from cloud_sync.store.migrate import migrate
from cloud_sync.store.nodes import ACTIVE, DEFAULT_GROUP, Beat, NodeRow, add_node, count_stream, save_beats
from cloud_sync.store.notices import STEERING
from core.files import private_folder
from tests.bench import harness
from tests.bench.harness import BenchRefused, Report, percentile, progress
from tests.postgres import postgres_server, programs

NODES = 1_000
# Callers at once: more than the pool has connections, as in a storm.
CALLERS = 32
CHANGES = 200
SECONDS = 20.0
NODE_IDS = [f"node-{number:04}" for number in range(NODES)]


async def opened(folder: Path, url: str) -> Database:
    paths = CloudPaths(folder)
    private_folder(paths.keys)
    create_store_key(paths)
    database = open_database(paths, CloudSettings.model_validate({"database": {"url": url}}))
    await migrate(database)
    return database


def fill(connection: sa.Connection) -> None:
    now = utc_now()
    for node in NODE_IDS:
        add_node(connection, NodeRow(node, node, node, DEFAULT_GROUP, ACTIVE, node.encode(), now, now))


async def timed(call: Awaitable[Any]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    await call
    return (time.perf_counter() - began) * 1000


async def rate(seconds: float, call: Callable[[str], Awaitable[object]]) -> float:
    """Calls a second, CALLERS at a time, one node after the other."""
    done, ends = 0, time.perf_counter() + seconds

    async def caller(first: int) -> None:
        nonlocal done
        number = first
        while time.perf_counter() < ends:
            await call(NODE_IDS[number % NODES])
            number += CALLERS
            done += 1

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))
    return done / seconds


async def costs(database: Database, seconds: float) -> dict[str, float]:
    """What a thousand nodes cost one database."""
    steering = Steering(database, utc_now)
    beats = [Beat(node, 0, utc_now(), 10, 5, 1, ("egress",), 50) for node in NODE_IDS]
    found: dict[str, float] = {}
    found["beats_1000_ms"] = await timed(database.run(lambda connection: save_beats(connection, beats)))
    found["streams_per_s"] = await rate(
        seconds, lambda node: database.run(lambda connection: count_stream(connection, node, "1", utc_now()))
    )
    seen = (await steering.look(NODE_IDS)).generation
    found["look_unchanged_ms"] = await timed(steering.look(NODE_IDS, seen))
    row = await steering.set_for_group(DEFAULT_GROUP, b'{"heartbeat_s":10}', "bench")
    found["look_group_ms"] = await timed(steering.look(NODE_IDS, seen))
    await steering.set_for_node(NODE_IDS[0], b'{"heartbeat_s":20}', "bench")
    found["look_one_ms"] = await timed(steering.look(NODE_IDS, row.generation))
    return {name: round(value, 2) for name, value in found.items()}


async def heard(one: Database, other: Database, seconds: float) -> dict[str, float]:
    """From a change at one replica to its being heard at the other."""
    steering = Steering(one, utc_now)
    arrived: dict[int, float] = {}
    grown = asyncio.Event()

    async def listen() -> None:
        async with aclosing(other.notices()) as notices:
            async for notice in notices:
                if notice.topic == STEERING:
                    arrived[int(notice.content)] = time.perf_counter()
                grown.set()

    listening = asyncio.create_task(listen())
    await grown.wait()  # it listens
    latencies = []
    for number in range(CHANGES):
        began = time.perf_counter()
        row = await steering.set_for_group(DEFAULT_GROUP, b'{"notes":"%d"}' % number, "bench")
        while row.generation not in arrived:
            grown.clear()
            await asyncio.wait_for(grown.wait(), 10)
        latencies.append((arrived[row.generation] - began) * 1000)
    busy = await rate(seconds, lambda node: steering.set_for_node(node, b'{"heartbeat_s":30}', "bench"))
    listening.cancel()
    await asyncio.wait({listening})
    return {
        "heard_p50_ms": round(percentile(latencies, 50), 2),
        "heard_p99_ms": round(percentile(latencies, 99), 2),
        "changes_per_s": round(busy, 1),
    }


async def measure(options: argparse.Namespace, folder: Path) -> Report:
    report = Report("replicas", {"nodes": NODES, "callers": CALLERS, "changes": CHANGES})
    seconds = options.seconds / 4
    progress("SQLite")
    sqlite = await opened(folder / "sqlite", "")
    await sqlite.run(fill)
    report.results["sqlite"] = await costs(sqlite, seconds)
    await sqlite.close()
    if (installed := programs()) is None:
        raise BenchRefused("No PostgreSQL is installed.")
    progress("PostgreSQL")
    with postgres_server(installed, durable=True) as server:
        url = server.new_database()
        one, other = await opened(folder / "one", url), await opened(folder / "other", url)
        await one.run(fill)
        report.results["postgres"] = await costs(one, seconds) | await heard(one, other, seconds)
        await one.close()
        await other.close()
    report.judged = {
        f"{name}_{engine}": value for engine, found in report.results.items() for name, value in found.items()
    }
    return report


def bench(options: argparse.Namespace) -> Report:
    folder = Path(tempfile.mkdtemp(prefix="postern-replicas-"))
    try:
        return asyncio.run(measure(options, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("replicas", SECONDS), bench))
