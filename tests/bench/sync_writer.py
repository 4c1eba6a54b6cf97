"""A node's store and sync in a process of its own, with a writer whose word the oracle takes.

What was committed is in the log, a line a commit, `first last`, durable after the commit that it tells of. Nothing
else is asked of the code under test. A new life counts from a new thousand million, so that a row that was committed
and not yet told of when the process was killed cannot be taken for another.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import uvloop
from sqlite_utils import Database

from edge.config import site_paths
from edge.egress.courier.client import CourierClient
from edge.egress.records.schemas import ModelState
from edge.store.outbox import OutboxClass, append
from edge.store.store import Store
from edge.sync.backoff import Backoff
from edge.sync.desired import DesiredDocument
from edge.sync.events import NodeFacts
from edge.sync.service import SyncService

KIND = "knowledge.changed"
LIFE = 10**9
WRITES_PER_S = 20
FILL_ROWS = 1000
AT_ONCE = Backoff(base_s=0.05, ceiling_s=0.3)
FACTS = NodeFacts("0.1.0", (ModelState(name="m", version="1", runtime="onnxruntime", device="CPU"),))


class Log:
    """The oracle's."""

    def __init__(self, path: Path, life: int) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._next = life * LIFE

    async def write(self, store: Store, rows: int) -> None:
        first, last = self._next, self._next + rows - 1

        def add(db: Database) -> None:
            for number in range(first, last + 1):
                append(db, OutboxClass.STATE, KIND, {"documents": number, "chunks": 0})

        await store.write(add)
        os.write(self._file, f"{first} {last}\n".encode())
        os.fsync(self._file)
        self._next += rows


async def _ignore(document: DesiredDocument) -> None:
    del document


async def _drained(store: Store) -> bool:
    return await store.read(lambda db: db.execute("SELECT min(sequence) FROM outbox").fetchone()[0]) is None


async def _report(store: Store, sync: SyncService) -> None:
    """Lines for the bench: when the control plane welcomed us, and when nothing waits any more."""
    while not sync.status().connected:
        await asyncio.sleep(0.01)
    print("connected", flush=True)
    while not await _drained(store):
        await asyncio.sleep(0.05)
    print("drained", flush=True)


async def _write_on(log: Log, store: Store, sync: SyncService, rate: int) -> None:
    """For ever, at a rate that a slow commit does not lower."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        await log.write(store, max(1, rate // WRITES_PER_S))
        sync.notify()
        due += 1 / WRITES_PER_S
        await asyncio.sleep(max(0.0, due - loop.time()))


async def run(options: argparse.Namespace) -> None:
    paths = site_paths(options.site)
    store = Store.open(paths)
    log = Log(options.log, options.life)
    for _ in range(0, options.fill, FILL_ROWS):
        await log.write(store, FILL_ROWS)
    print("filled", flush=True)
    if options.fill:
        await store.close()
        return
    sync = SyncService(
        store,
        paths,
        CourierClient(paths.courier_socket),
        lambda: FACTS,
        _ignore,
        judge=_ignore,
        backoff=AT_ONCE if options.at_once else Backoff(),
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(sync.run())
        if options.rate:
            await _write_on(log, store, sync, options.rate)
        await _report(store, sync)
        raise KeyboardInterrupt


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("site", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--life", type=int, required=True)
    parser.add_argument("--fill", type=int, default=0, help="write so many rows, and end")
    parser.add_argument(
        "--rate", type=int, default=0, help="rows a second; 0: only send, and end when all are gone"
    )
    parser.add_argument(
        "--at-once", action="store_true", help="connect again at once: no fleet is to be spared"
    )
    with suppress(KeyboardInterrupt):
        uvloop.run(run(parser.parse_args(sys.argv[1:])))


if __name__ == "__main__":
    main()
