"""The process ends when a native call outlives its limit, or holds Python's lock; not otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge.inference.watchdog import HUNG

ROOT = Path(__file__).parents[4]
PATIENCE_S = 60

PROGRAM = """
import asyncio, ctypes, threading
from edge.inference.watchdog import Watchdog

async def main():
    dog = Watchdog(beat_s=0.02, stall_s=1.0)  # a loaded machine stands still for a third of it
    watching = asyncio.create_task(dog.run())
    await asyncio.sleep(0)
    {body}
    watching.cancel()

def hang(dog, limit_s, hanging=lambda: threading.Event().wait(), locks=False):
    with dog.limit("test", limit_s, locks=locks):
        hanging()

asyncio.run(main())
"""
HOLDING_THE_LOCK = "ctypes.PyDLL(None).sleep(1000)"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("await asyncio.to_thread(hang, dog, 30.0, lambda: None)", 0),
        (
            "threading.Thread(target=hang, args=(dog, 0.1), daemon=True).start(); await asyncio.sleep(1000)",
            HUNG,
        ),
        (f"{HOLDING_THE_LOCK}", 1),
        (f"hang(dog, 30.0, lambda: {HOLDING_THE_LOCK})", 1),
        (f"hang(dog, 0.5, lambda: {HOLDING_THE_LOCK}, locks=True)", 1),
        ("hang(dog, 0.6, lambda: ctypes.PyDLL(None).usleep(500_000), locks=True)", 0),
    ],
    ids=[
        "a call in time",
        "a hung call",
        "a lock held",
        "a call that should not holds the lock",
        "a hung opening",
        "a long opening",
    ],
)
def test_how_a_process_ends(body: str, status: int) -> None:
    program = PROGRAM.format(body=body)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, timeout=PATIENCE_S, check=False, capture_output=True
    )
    assert done.returncode == status, done.stderr.decode()
