"""What a node leaves in the control plane's database in a year: rows of a month, multiplied (docs/scale.md).

`python -m tests.bench.growth`: MB of a node and year, indexes included, for a node that tells 29 cells an hour and 50
other rows a day. SQLite, as it lies on the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from cloud_sync.store.database import Database
from cloud_sync.store.nodes import ACTIVE, NodeRow, add_node
from cloud_sync.store.streams import CountRow, RecordRow, add_counts, add_records
from tests.bench import harness
from tests.bench.harness import SEED, Report, progress
from tests.cloud_store import opened_store

NODES = 10
# A file grows by pages: after so many of its days a page more or less is a thousandth.
DAYS = 30
HOUR_S = 3600
START = datetime(2026, 1, 1, tzinfo=UTC)
NODE = NodeRow("", "St. Anna", "St. Anna 1", "default", ACTIVE, b"", START, START)
EPOCH = bytes(16)
METRICS, STATE = 3, 2
# Names as long as those of nodes (`edge/sync/telemetry.py`).
CELLS = (
    *(f"turn_seconds.{number}" for number in range(20)),
    *(f"turns.{route}" for route in ("answer", "generate", "handoff", "clarify", "refuse")),
    *(f"generated.{how}" for how in ("grounded", "quoted", "cut", "none")),
)
OTHER_ROWS = 50
BUCKET = json.dumps(
    {"counts": dict.fromkeys(CELLS, 100), "start_s": 1_700_000_000, "length_s": HOUR_S}
).encode()
CHANGE = b'{"chunks":40,"documents":3}'


def node_ids() -> list[str]:
    """As long as real ones."""
    return [f"node-{number:027}" for number in range(NODES)]


def counts_of(connection: sa.Connection, day: datetime, chance: random.Random) -> None:
    """A day's cells of every node, hour by hour, as they come."""
    for hour in range(24):
        at = day + timedelta(hours=hour)
        for node in node_ids():
            add_counts(
                connection, node, [CountRow(at, HOUR_S, name, chance.randint(5, 999)) for name in CELLS]
            )


def records_of(connection: sa.Connection, day: datetime, _: random.Random) -> None:
    """A day's rows of every node as they came."""
    first = (day - START).days * (24 + OTHER_ROWS) + 1
    rows = [RecordRow(first + n, METRICS, "telemetry.bucket", BUCKET, day) for n in range(24)]
    rows += [RecordRow(first + 24 + n, STATE, "knowledge.changed", CHANGE, day) for n in range(OTHER_ROWS)]
    for node in node_ids():
        add_records(connection, node, EPOCH, [(row, True) for row in rows], day)


async def grown_by(store: Database, write: Callable[[sa.Connection, datetime, random.Random], None]) -> float:
    """MB of a node and year."""
    chance = random.Random(SEED)
    await store.run(lambda connection: write(connection, START, chance))  # the first pages of a table
    before = await store.run(pages)
    for day in range(1, DAYS + 1):
        at = START + timedelta(days=day)
        await store.run(lambda connection, at=at: write(connection, at, chance))  # type: ignore[misc]
    return (await store.run(pages) - before) / NODES / DAYS * 365 / 1e6


def pages(connection: sa.Connection) -> int:
    """Bytes of the file, once its log is in it."""
    count, size = (
        connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size")
    )
    return int(count) * int(size)


async def measure() -> Report:
    report = Report("growth", {"nodes": NODES, "days": DAYS, "cells": len(CELLS), "other_rows": OTHER_ROWS})
    with tempfile.TemporaryDirectory(prefix="postern-growth-") as folder:
        async with opened_store(Path(folder)) as store:
            for node in node_ids():
                row = replace(NODE, id=node, certificate_fingerprint=node.encode())
                await store.run(lambda connection, row=row: add_node(connection, row))  # type: ignore[misc]
            for name, write in (("telemetry", counts_of), ("records", records_of)):
                progress(name)
                report.results[f"{name}_mb"] = round(await grown_by(store, write), 1)
    report.judged = {f"{name}_of_a_node_year": value for name, value in report.results.items()}
    return report


def bench(_: argparse.Namespace) -> Report:
    return asyncio.run(measure())


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("growth", 0.0), bench))
