"""Fifty nodes and a model that is wrong but healthy: how many beyond the canary ever get it, and how soon is it gone?

A control plane in a process of its own; nodes with a connection and certificate each, in this one. Rounds alternate: a
good version, which must reach every node (else nothing would be proved), and a wrong one, whose nodes see that answers
are worse while every process is well. What nodes were told is what came down their own streams.
`python -m tests.bench.rollout --json`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.rollouts.spec import parse_spec
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane, utc_now
from tests.bench import harness
from tests.integration.cloud_sync.conftest import use_free_ports
from tests.integration.cloud_sync.fleet_node import enrol
from tests.rollout_fleet import publish
from tests.rollout_nodes import WiredNode

SECONDS = 90.0
NODES = 50
WAVES = (6, 30, 60, 100)
GATES = {"kept_min_percent": 100, "failed_max_percent": 2, "soak_s": 0, "patience_s": 300}
READY_S = 60.0
# A round that takes longer hangs.
ROUND_S_MAX = 120.0
LOOK_S = 0.1


@dataclass(frozen=True)
class Round:
    """One rollout: how many nodes got it, were meant to as canary, and what became of it."""

    wrong: bool
    state: str
    canary: int
    told: int
    beyond_canary: int
    # From the first node's acknowledged return until the last of the canary is told to run it no more.
    gone_s: float | None


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Any]:
    """The control plane as people run it; its ready line."""
    command = [sys.executable, "-m", "cloud_sync.cli", "run", "--dir", str(folder)]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert process.stdout
    try:
        yield json.loads(await asyncio.wait_for(process.stdout.readline(), READY_S))
    finally:
        process.terminate()
        await process.wait()


async def one_round(control: ControlPlane, nodes: list[WiredNode], wrong: set[str], version: str) -> Round:
    """Roll a version out over the fleet, until the rollout ends and every node knows."""
    spec = parse_spec(
        {"kind": "model", "name": "encoder", "version": version, "waves": WAVES, "gates": GATES, "watch_s": 1}
    )
    await control.database.run(lambda connection: publish(connection, spec.target))
    made = await control.rollouts.create(spec, "bench")
    canary = {node.node_id for node in (await control.rollouts.show(made.id)).nodes if node.wave == 1}
    async with asyncio.timeout(ROUND_S_MAX):
        while (view := (await control.rollouts.show(made.id)).rollout).state not in ("done", "stopped"):
            await asyncio.sleep(LOOK_S)
        by_id = {node.id: node for node in nodes}
        while version in wrong and any(version not in by_id[node].untold for node in canary):
            await asyncio.sleep(LOOK_S)
    told = {node.id for node in nodes if version in node.told}
    failed = [node.failed[version] for node in nodes if version in node.failed]
    gone = [node.untold[version] for node in nodes if version in node.untold]
    gone_s = max(gone) - min(failed) if failed and gone else None
    return Round(version in wrong, view.state, len(canary), len(told), len(told - canary), gone_s)


async def measure(seconds: float, nodes_count: int = NODES) -> list[Round]:
    """Rounds for `seconds`, a good one and a wrong one at least."""
    rounds: list[Round] = []
    wrong: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="postern-rollout-") as folder:
        paths = CloudPaths(Path(folder) / "cloud")
        create_folder(paths, "Bench", "", utc_now())
        use_free_ports(paths)
        async with (
            serving(paths.root) as ready,
            control_plane(paths, load_settings(paths), load_identities(paths)) as control,
            asyncio.TaskGroup() as group,
        ):
            nodes = []
            for number in range(nodes_count):
                code = await control.enrolment.new_code(f"Site {number}", "bench", ready["enrolment"])
                nodes.append(WiredNode(await enrol(ready["enrolment"], code.code), wrong))
            lives = [group.create_task(node.live(), name=node.id) for node in nodes]
            harness.progress(f"{len(nodes)} nodes")
            end = time.monotonic() + seconds
            while len(rounds) < 2 or time.monotonic() < end:
                version = f"{len(rounds) + 1}.0"
                wrong |= {version} if len(rounds) % 2 else set()
                rounds.append(await one_round(control, nodes, wrong, version))
                harness.progress(str(rounds[-1]))
            for life in lives:
                life.cancel()
    return rounds


def report(rounds: list[Round], nodes: int) -> harness.Report:
    """The bench's document."""
    bad = [one for one in rounds if one.wrong]
    good = [one for one in rounds if not one.wrong]
    gone = [one.gone_s for one in bad if one.gone_s is not None]
    found = harness.Report("rollout", {"nodes": nodes, "waves": WAVES, "gates": GATES})
    found.results = {
        "wrong_rollouts": len(bad),
        "wrong_stopped": sum(one.state == "stopped" for one in bad),
        "canary_nodes": bad[0].canary,
        "good_rollouts": len(good),
        "good_told": min(one.told for one in good),
    }
    found.judged = {
        "beyond_canary": sum(one.beyond_canary for one in bad),
        "good_missed": sum(nodes - one.told for one in good),
        "gone_s": round(max(gone), 2) if gone else None,
    }
    return found


def main() -> int:
    options = harness.arguments("rollout", SECONDS)
    options.add_argument("--nodes", type=int, default=NODES)
    given = options.parse_args()
    rounds = asyncio.run(measure(given.seconds, given.nodes))
    sys.stdout.write(json.dumps(report(rounds, given.nodes).document()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
