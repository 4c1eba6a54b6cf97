"""The whole way of models over the air: signed offline, published, told to one node of two, kept or refused there.

A control plane on PostgreSQL and two sites, by the commands of "A canary rollout, from nothing" in docs/operations.md.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.rollout_rig import (
    POLL_S,
    Publisher,
    enrolled,
    own_models,
    places,
    until_place,
    until_state,
    updates,
)
from tests.integration.sync.rig import ControlPlaneProcess
from tests.postgres import PostgresServer
from tests.projected_encoder import NAME, projected_folder, scrambled_folder
from tests.running import copy_site, running

pytestmark = [pytest.mark.long, pytest.mark.models]

LIMIT_S = 1500
"""Five gates with golden questions and four times all documents read anew, at the lowest priority on two cores."""

WAVES = ("--waves", "50,100", "--watch", "5")


@pytest.fixture
async def cloud(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    """With three published versions: good, wrong in good health, good."""
    started = ControlPlaneProcess(tmp_path / "cloud", postgres.new_database())
    await started.create()
    publisher = Publisher(started, tmp_path)
    await publisher.begin()
    folders = {
        "1.0": projected_folder(tmp_path / "first"),
        "2.0": scrambled_folder(tmp_path / "wrong", version="2.0"),
        "3.0": projected_folder(tmp_path / "third", seed=2, version="3.0"),
    }
    for version, folder in folders.items():
        await publisher.publish("model", NAME, version, folder)
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def sites(prepared_clinic: Path, tmp_path: Path) -> dict[str, Path]:
    made = {}
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        made[name] = copy_site(prepared_clinic, tmp_path / name)
        own_models(tmp_path / name / "models")
    return made


@pytest.mark.timeout(LIMIT_S + 120)
async def test_a_good_model_reaches_all_and_a_wrong_one_no_more_than_its_canary(
    cloud: ControlPlaneProcess, sites: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes: dict[str, Path] = {}
    with ExitStack() as stack:
        for site in sites.values():
            nodes[await enrolled(cloud, site)] = site
            monkeypatch.setenv("POSTERN_MODELS", str(site.parent / "models"))
            stack.enter_context(running(site))
        async with asyncio.timeout(LIMIT_S):
            while [node["state"] for node in await cloud.command("node", "list")] != ["live", "live"]:
                await asyncio.sleep(POLL_S)
            await a_good_one_is_kept_by_both(cloud, nodes)
            await a_wrong_one_stops_itself(cloud, nodes)
            await what_is_taken_back_goes_back(cloud, nodes)


async def a_good_one_is_kept_by_both(cloud: ControlPlaneProcess, nodes: dict[str, Path]) -> None:
    made = await cloud.command("rollout", "create", f"model/{NAME}/1.0", *WAVES, "--soak", "0")
    done = await until_state(cloud, made["id"], "done")
    assert places(done) == ["kept", "kept"]
    for site in nodes.values():
        assert [(one["version"], one["state"]) for one in await updates(site)] == [("1.0", "kept")]
        assert serves(site) == NAME


async def a_wrong_one_stops_itself(cloud: ControlPlaneProcess, nodes: dict[str, Path]) -> None:
    made = await cloud.command("rollout", "create", f"model/{NAME}/2.0", *WAVES, "--soak", "0")
    stopped = await until_state(cloud, made["id"], "stopped")
    assert places(stopped) == ["failed", "waiting"]
    # The sites' own words: one refused it, the other never heard of it.
    for place in stopped["nodes"]:
        told = await updates(nodes[place["node_id"]])
        known = [one["version"] for one in told]
        if place["status"] == "waiting":
            assert known == ["1.0"]
            continue
        assert known == ["2.0", "1.0"]
        assert (told[0]["state"], told[0]["step"]) == ("refused", "gate")
        assert told[0]["reason"] == place["reason"]
    assert all(serves(site) == NAME for site in nodes.values())


async def what_is_taken_back_goes_back(cloud: ControlPlaneProcess, nodes: dict[str, Path]) -> None:
    made = await cloud.command("rollout", "create", f"model/{NAME}/3.0", *WAVES, "--soak", "3600")
    kept = await until_place(cloud, made["id"], "kept")
    await cloud.command("rollout", "abort", made["id"])
    await until_place(cloud, made["id"], "returned")
    versions = [one["version"] for one in await updates(nodes[kept["node_id"]]) if one["state"] == "kept"]
    assert versions == ["1.0", "3.0"]  # newest first
    (other,) = nodes.keys() - {kept["node_id"]}
    assert "3.0" not in [one["version"] for one in await updates(nodes[other])]


def serves(site: Path) -> str:
    return str(tomllib.loads((site / "site.toml").read_text())["models"]["encoder"])
