"""Postern's own software over the air, whole: published, agreed to by two, run from its slot, and back from one that
does not start, while people ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from core.version import VERSION
from edge.config import site_paths
from edge.slots import Pointer, Slots
from tests.integration.rollout_rig import (
    PASSWORD,
    Publisher,
    enrolled,
    fill,
    more_answers,
    people_ask,
    places,
    until_gone_back,
    until_state,
    updates,
)
from tests.integration.sync.rig import ControlPlaneProcess
from tests.running import RunningNode, command, running, with_port

pytestmark = [pytest.mark.long, pytest.mark.models]

LIMIT_S = 1500
GOOD = "99.0"
BROKEN = "99.1"
ADMINS = ("anna", "bert")


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    """Has published a version that runs, and one that passes the gate and does not start."""
    plane = ControlPlaneProcess(tmp_path / "cloud")
    await plane.create()
    publisher = Publisher(plane, tmp_path)
    await publisher.begin()
    for name in ADMINS:
        await plane.command("admin", "add", name, "--password-stdin", stdin=PASSWORD)
    for version in (GOOD, BROKEN):
        folder = tmp_path / f"published-{version}"
        fill(folder, version, compiled=False)
        if version == BROKEN:
            # With the status by which a supervisor ends elsewhere: nobody could start this one again.
            (folder / "edge" / "processes.py").write_text("raise SystemExit(2)\n")
        await publisher.publish("software", "postern", version, folder)
    await plane.start()
    yield plane
    await plane.stop()


@pytest.mark.timeout(LIMIT_S + 300)
async def test_software_that_runs_is_kept_and_software_that_does_not_start_goes_back(
    cloud: ControlPlaneProcess, clinic: Path
) -> None:
    url = with_port(clinic)
    node_id = await enrolled(cloud, clinic)
    async with asyncio.timeout(LIMIT_S):
        with running(clinic) as node:
            async with people_ask(url) as asking:
                await more_answers(asking)
                assert slots_of(node) == {""}
                await it_is_kept(cloud, node, node_id)
                await more_answers(asking)
                await it_goes_back_by_itself(cloud, node, node_id)
                await more_answers(asking)
            assert asking.wrong == []


async def it_is_kept(cloud: ControlPlaneProcess, node: RunningNode, node_id: str) -> None:
    rollout = await approved(cloud, f"software/postern/{GOOD}")
    assert places(await until_state(cloud, rollout, "done")) == ["kept"]
    assert [(one["version"], one["state"]) for one in await updates(node.site)] == [(GOOD, "kept")]
    await it_runs(cloud, node, node_id)


async def it_goes_back_by_itself(cloud: ControlPlaneProcess, node: RunningNode, node_id: str) -> None:
    rollout = await approved(cloud, f"software/postern/{BROKEN}")
    assert await until_gone_back(cloud, rollout) == "not_starting"
    newest, _ = await updates(node.site)
    assert (newest["version"], newest["state"], newest["reason"]) == (BROKEN, "returned", "not_starting")
    await it_runs(cloud, node, node_id)


async def approved(cloud: ControlPlaneProcess, target: str) -> str:
    """The id of a rollout that was made at the command line, which has no name: two accounts agree."""
    made = await cloud.command("rollout", "create", target, "--waves", "100", "--soak", "0", "--watch", "5")
    for name in ADMINS:
        assert made["state"] == "awaiting_approval", made
        words = ("rollout", "approve", made["id"], "--admin", name, "--password-stdin")
        made = await cloud.command(*words, stdin=PASSWORD)
    assert made["state"] in {"scheduled", "running"}, made
    return str(made["id"])


async def it_runs(cloud: ControlPlaneProcess, node: RunningNode, node_id: str) -> None:
    """The good one, from its slot, and the control plane knows."""
    assert GOOD != VERSION
    assert Slots(site_paths(node.site).slots).pointer() == Pointer(GOOD)
    assert slots_of(node) == {GOOD}
    assert (await command("status", "--site", str(node.site), "--json"))["version"] == GOOD
    assert (await cloud.command("node", "show", node_id))["software_version"] == GOOD


def slots_of(node: RunningNode) -> set[str | None]:
    """Which slots its processes run from."""
    names = ("node", "worker", "courier")
    return {psutil.Process(node.pid_of(name)).environ().get("POSTERN_SLOT") for name in names}
