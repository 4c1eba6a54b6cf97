"""How many leaves a second become durable, with the time that this disk's fsync takes beside it. Part of `ledger`."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path
from typing import Any

from edge.egress.ledger.leaf_types import Draft
from edge.egress.ledger.log import Log
from edge.egress.ledger.queue import LedgerQueue

# Envelopes that wait at once: what two lanes and the texts of a busy hour come to.
CALLERS = 128
FLOOR_ROUNDS = 200
FLOOR_BYTES = 4_096


async def append(folder: Path, seconds: float) -> dict[str, Any]:
    """Callers that announce an envelope, wait until that is durable, close it, and so on."""
    ledger = Log.open(folder / "ledger.db")
    queue, leaves, until = LedgerQueue(ledger), 0, time.monotonic() + seconds
    groups: list[int] = []
    inner = ledger.append

    def counted(drafts: list[Draft]) -> None:
        groups.append(len(drafts))
        inner(drafts)

    ledger.append = counted  # type: ignore[method-assign,assignment]

    async def caller() -> int:
        done = 0
        while time.monotonic() < until:
            envelope = os.urandom(16).hex()
            await queue.append([_intent(envelope)])
            await queue.append([_close(envelope)])
            done += 2
        return done

    started = time.monotonic()
    leaves = sum(await asyncio.gather(*(caller() for _ in range(CALLERS))))
    took = time.monotonic() - started
    await queue.close()
    return {
        "leaves": leaves,
        "seconds": round(took, 2),
        "per_s": round(leaves / took),
        "callers": CALLERS,
        "leaves_per_fsync_p50": statistics.median(groups),
        "fsyncs_per_s": round(len(groups) / took, 1),
        "bytes_per_leaf": round((folder / "ledger.db").stat().st_size / leaves),
    }


def fsync_floor_ms(folder: Path) -> float:
    """Median of a write of one page at a file's end and its fsync, nothing else."""
    descriptor, took = os.open(folder / "floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), []
    try:
        for _ in range(FLOOR_ROUNDS):
            started = time.perf_counter()
            os.write(descriptor, b"\0" * FLOOR_BYTES)
            os.fsync(descriptor)
            took.append(1000 * (time.perf_counter() - started))
    finally:
        os.close(descriptor)
    return round(statistics.median(took), 3)


def _intent(envelope: str) -> Draft:
    return Draft(
        "intent",
        {
            "envelope": envelope,
            "destination": "cloud.example:7443",
            "kind": "outbox_batch",
            "rows": 16,
            "bytes": 4_000,
            "policy": "",
            "verdict": "schema",
            "commitment": "ab" * 32,
        },
    )


def _close(envelope: str) -> Draft:
    fields = {"outcome": "written", "bytes": 4_000, "destination_key": "cd" * 32}
    return Draft("close", {"envelope": envelope, "tokens_up": 0, "tokens_down": 0, **fields})
