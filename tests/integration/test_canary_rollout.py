"""The whole way of a bad model: signed offline, told to one node of two, refused there, and seen by nobody else.

A control plane on PostgreSQL and two sites, by the commands of the README.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sync.rig import ControlPlaneProcess
from tests.postgres import PostgresServer
from tests.projected_encoder import NAME, scrambled_folder
from tests.running import copy_site, running

pytestmark = [pytest.mark.long, pytest.mark.models]

# On two cores that others use: fetching and a gate with golden questions, twice over.
LIMIT_S = 500


@pytest.fixture
async def cloud(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    started = ControlPlaneProcess(tmp_path / "cloud", postgres.new_database())
    await started.create()
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    signed = ("--vendor-keys", str(tmp_path / "keys"), "--passphrase-file", str(passphrase))
    await started.command("registry", "init", *signed)
    published = scrambled_folder(tmp_path / "published")
    await started.command("model", "publish", *signed, "--name", NAME, "--version", "1.0", str(published))
    await started.start()
    yield started
    await started.stop()


@pytest.mark.timeout(LIMIT_S + 60)
async def test_a_bad_model_goes_no_further_than_its_canary(
    cloud: ControlPlaneProcess, prepared_clinic: Path, tmp_path: Path
) -> None:
    sites = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        sites.append(copy_site(prepared_clinic, tmp_path / name))
        code = await cloud.new_code()
        await _postern("enroll", "--site", str(sites[-1]), "--cloud", cloud.enrolment, "--code", code)
    with running(sites[0]), running(sites[1]):
        async with asyncio.timeout(LIMIT_S):
            while [node["state"] for node in await cloud.command("node", "list")] != ["live", "live"]:
                await asyncio.sleep(0.5)
            waves = ("--waves", "50,100", "--soak", "0", "--watch", "5")
            made = await cloud.command("rollout", "create", f"model/{NAME}/1.0", *waves)
            shown = await cloud.command("rollout", "show", made["id"])
            while shown["rollout"]["state"] in ("scheduled", "running"):
                await asyncio.sleep(1)
                shown = await cloud.command("rollout", "show", made["id"])
        told = [await _postern("updates", "show", "--site", str(site)) for site in sites]
    assert shown["rollout"]["state"] == "stopped"
    assert sorted(node["status"] for node in shown["nodes"]) == ["failed", "waiting"]
    # The sites' own words: one refused it, the other never heard of it.
    assert sorted(len(updates) for updates in told) == [0, 1]
    (refused,) = (update for updates in told for update in updates)
    assert refused["state"] == "refused"
    assert refused["step"] == "gate"
    assert refused["reason"] == next(node["reason"] for node in shown["nodes"] if node["status"] == "failed")


async def _postern(*words: str) -> Any:
    command = [sys.executable, "-m", "edge.cli", *words, "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0, words
    return json.loads(out)
