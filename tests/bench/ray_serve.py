"""Turns that fail while a Ray Serve cluster grows, is updated, and loses a node: a real cluster of two nodes here.

The model is scripted (0.4 s an answer), so that a laptop can hold the cluster; what is measured is Serve's part.
Callers do what the control plane does, through its provider: they ask the other door before the first word, and begin
again after a cut.
`python -m tests.bench.ray_serve --json`
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.bench.harness import REPOSITORY, BenchRefused, Report, arguments, percentile, progress, run
from tests.completion_load import Callers, Turns
from tests.ray_nodes import MODEL, RayNodes, ray_nodes

OLD = [" old" + str(number) for number in range(20)]
NEW = [" new" + str(number) for number in range(20)]

CALLERS = 8
"""One replica has two at most; three have six, and two wait."""

REPLICAS = 3
GROWS_S_MAX = 90.0
TURNS_AFTER = 40
"""After each event, so that what it broke is seen: some six seconds of three replicas."""


async def scenario(seconds: float) -> dict[str, Any]:
    """Grow under load, update, lose a node: the turns of each part. `seconds`: of load before the later events."""
    parts: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        async with ray_nodes(Path(folder), OLD) as nodes:
            parts["grow"] = await _part(nodes, 0, _grow)
            parts["update"] = await _part(nodes, seconds, _update)
            parts["refused_update"] = await _part(nodes, seconds, _refuse)
            parts["node_killed"] = await _part(nodes, seconds, _kill)
    return parts


async def _part(
    nodes: RayNodes, seconds: float, event: Callable[[RayNodes], Awaitable[Any]]
) -> dict[str, Any]:
    callers = Callers(nodes.doors, nodes.key_file, MODEL)
    async with callers.asking(CALLERS):
        await asyncio.sleep(seconds)
        began = time.monotonic()
        found = await event(nodes)
        took_s = time.monotonic() - began
        await callers.until_whole(TURNS_AFTER)
    progress(f"{event.__name__[1:]}: {callers.turns.whole} turns, {_failed(callers.turns)} failed")
    return {event.__name__[1:]: found, "took_s": round(took_s, 2), **_told(callers.turns)}


async def _grow(nodes: RayNodes) -> dict[str, int]:
    async with asyncio.timeout(GROWS_S_MAX):
        while sum((replicas := await nodes.order("replicas")).values()) < REPLICAS:
            await asyncio.sleep(0.2)
    return dict(replicas)


async def _update(nodes: RayNodes) -> dict[str, int]:
    await nodes.order("serve", words=NEW)
    return dict(await nodes.order("replicas"))


async def _refuse(nodes: RayNodes) -> str:
    return str(await nodes.order("break_update"))


async def _kill(nodes: RayNodes) -> int:
    return int(await nodes.order("kill"))


def _failed(turns: Turns) -> int:
    """Not whole in time, or a text that nobody wrote."""
    written = {"".join(OLD), "".join(NEW)}
    return turns.failed.total() + sum(count for text, count in turns.texts.items() if text not in written)


def _told(turns: Turns) -> dict[str, Any]:
    return {
        "turns": turns.whole + turns.failed.total(),
        "failed": _failed(turns),
        "old": turns.texts["".join(OLD)],
        "new": turns.texts["".join(NEW)],
        "asked_again": dict(turns.asked_again),
        "begun_again": turns.begun_again,
        "first_text_ms_p50": round(1000 * percentile(turns.first_s, 50)),
        "first_text_ms_max": round(1000 * max(turns.first_s)),
        "whole_s_max": round(max(turns.whole_s), 2),
    }


def main(options: argparse.Namespace) -> Report:
    if subprocess.run(["make", "-s", "ray-setup"], cwd=REPOSITORY, stdout=sys.stderr, check=False).returncode:
        raise BenchRefused("Ray could not be installed (see above); `make ray-setup` tries again.")
    report = Report(
        "ray_serve", {"callers": CALLERS, "nodes": 2, "replicas": f"1 to {REPLICAS}", "model": "scripted"}
    )
    report.results = asyncio.run(scenario(options.seconds / 3))
    parts = report.results.values()
    report.judged = {
        "turns": sum(part["turns"] for part in parts),
        "failed_turns": sum(part["failed"] for part in parts),
        "replicas_killed": report.results["node_killed"]["kill"],
    }
    return report


if __name__ == "__main__":
    sys.exit(run(arguments("ray_serve", 30), main))
