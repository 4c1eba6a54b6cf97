"""A customer's turn that the control plane answers: a real node, courier, control plane and provider of words."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from edge.config import site_paths
from edge.egress import verify
from edge.egress.ledger import reading
from edge.store.store import Store
from edge.sync.enrolment import enrol
from tests.bench import spike_site
from tests.bench.spike_site import Provider
from tests.integration.sync.rig import ControlPlaneProcess
from tests.running import Customer, RunningNode, command, running

QUESTION = "When is the pharmacy open?"
# Long for a loaded machine, and an error when it is reached.
WAIT_S = 60.0
CROWD = 6

pytestmark = pytest.mark.long


@pytest.fixture
def provider() -> Iterator[Provider]:
    with spike_site.provider() as started:
        yield started


@pytest.fixture
async def cloud(tmp_path: Path, provider: Provider) -> AsyncIterator[ControlPlaneProcess]:
    process = ControlPlaneProcess(tmp_path / "cloud")
    await process.create()
    settings = process.paths.config.read_text().replace("enabled = false", "enabled = true")
    process.paths.config.write_text(settings + spike_site.overflow_settings(provider.url))
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


async def serving(clinic: Path, cloud: ControlPlaneProcess, models: str = "") -> AsyncIterator[RunningNode]:
    """A node that lets English texts overflow, as if its detector missed little enough."""
    settings, paths = (clinic / "site.toml").read_text(), site_paths(clinic)
    # However loaded the machine: that it is fast enough is the benches' matter.
    patient = 'mode = "generative"\nfirst_token_deadline_s = 60\noverflow_after_s = 1'
    settings = settings.replace('mode = "extractive"', patient)
    (clinic / "site.toml").write_text(f"{settings}\n{models}\n")
    spike_site.permit_overflow(clinic)
    await enrol(paths, cloud.enrolment, await cloud.new_code())
    with running(clinic, measured=True) as started:
        yield started


@pytest.fixture
async def node(clinic: Path, cloud: ControlPlaneProcess) -> AsyncIterator[RunningNode]:
    """Without a language model of its own."""
    async for started in serving(clinic, cloud, '[models]\nllm = ""'):
        yield started


@pytest.fixture
async def writing_node(clinic: Path, cloud: ControlPlaneProcess) -> AsyncIterator[RunningNode]:
    """With the small one."""
    async for started in serving(clinic, cloud):
        yield started


@asynccontextmanager
async def customer(node: RunningNode, *, permits: bool) -> AsyncIterator[Customer]:
    """Somebody who was asked, and permits help from outside or does not."""
    async with Customer.at(node.url) as arrived:
        status, made = await arrived.send("POST", "/api/v1/sessions", {"channel": "kiosk"})
        assert (status, made["notice"]["overflow_offered"]) == (201, True)
        arrived.session_id, arrived.token = made["session_id"], made["token"]
        consent = {"notice_version": made["notice"]["version"], "overflow": permits}
        assert (await arrived.send("POST", f"/api/v1/sessions/{arrived.session_id}/consent", consent))[
            0
        ] == 204
        yield arrived


async def status(node: RunningNode) -> dict[str, Any]:
    found: dict[str, Any] = await command("status", "--site", str(node.site), "--json")
    return found


async def metric(node: RunningNode, line: str) -> float:
    async with aiohttp.ClientSession() as http, http.get(f"{node.url}/metrics") as reply:
        found = [one for one in (await reply.text()).splitlines() if one.startswith(f"{line} ")]
    return float(found[0].split()[-1]) if found else 0.0


async def until_open(node: RunningNode) -> None:
    async with asyncio.timeout(WAIT_S):
        while not (await status(node))["overflow"]["ready"]:
            await asyncio.sleep(0.1)


async def test_a_turn_overflows_and_is_cited_counted_and_recorded(
    node: RunningNode, cloud: ControlPlaneProcess, provider: Provider
) -> None:
    await until_open(node)
    async with customer(node, permits=False) as somebody:
        assert (await somebody.ask(QUESTION))["route"] == "answer"
    assert provider.heard() == []
    async with customer(node, permits=True) as somebody:
        events = await somebody.stream(QUESTION)
    final = events[-1][1]
    assert final["route"] == "overflow"
    assert "".join(data["text"] for name, data in events if name == "delta") == final["answer"]
    assert final["citations"]
    assert all(cited["quote"] for cited in final["citations"])
    (heard,) = provider.heard()
    assert "pharmacy" in heard
    assert await metric(node, 'postern_turns_total{route="overflow"}') == 1
    assert await metric(node, 'postern_answers_total{outcome="whole",provider="cloud"}') == 1
    labels = 'postern_overflow_total{{outcome="{}",reason="no_local_model"}}'
    assert await metric(node, labels.format("whole")) == 1
    assert await metric(node, labels.format("refused")) == 1
    told = await status(node)
    assert told["overflow"] == {
        "offered": True,
        "ready": True,
        "reason": "",
        "answers": {"whole": 1, "refused": 1},
    }
    assert [one["provider"] for one in told["writers"]] == ["cloud"]
    await cloud.kill()
    async with customer(node, permits=True) as somebody, asyncio.timeout(WAIT_S):
        answer = await somebody.ask(QUESTION)
    assert (answer["route"], bool(answer["citations"])) == ("answer", True)
    node.stop()
    await recorded(node.site)


async def test_a_receipt_is_checked_without_us(node: RunningNode, tmp_path: Path) -> None:
    """By the program that an outsider has, with the keys that the site tells."""
    await until_open(node)
    async with customer(node, permits=True) as somebody:
        assert (await somebody.ask(QUESTION))["route"] == "overflow"
        async with asyncio.timeout(WAIT_S):
            while True:  # the close stands in the ledger a moment after the answer
                _, receipt = await somebody.send("GET", f"/api/v1/sessions/{somebody.session_id}/receipt")
                if [one["record"]["outcome"] for one in receipt["left"]] == ["written"]:
                    break
                await asyncio.sleep(0.1)
    assert receipt["proof_missing"] == ""
    file, export = tmp_path / "receipt.json", tmp_path / "export.zip"
    file.write_text(json.dumps(receipt))
    key = (await command("ledger", "export", "--site", str(node.site), "--out", str(export), "--json"))[
        "log_key"
    ]
    asked = ["--receipt", str(file), str(export), "--log-key", key]
    checker = [
        sys.executable,
        "-I",
        verify.__file__,
        *asked,
        "--site-key",
        str(node.site / "keys/receipts.pub"),
    ]
    checked = await asyncio.to_thread(subprocess.run, [*checker, "--json"], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    told = json.loads(checked.stdout)
    assert (told["ok"], told["site_key_given"], told["log_key_given"]) == (True, True, True)
    assert [one["outcome"] for one in told["left"]] == ["written"]
    file.write_text(json.dumps({**receipt, "left": [], "left_bytes": 0}))
    checked = await asyncio.to_thread(subprocess.run, checker, capture_output=True, check=False)
    assert checked.returncode == 3


async def test_a_crowd_overflows_before_it_waits(writing_node: RunningNode) -> None:
    """One of them is written here, the others' wait is foretold; nobody is left without an answer."""
    await until_open(writing_node)
    async with asyncio.timeout(WAIT_S):
        while ((await status(writing_node)).get("llm") or {}).get("state") != "ready":
            await asyncio.sleep(0.2)

    async def ask() -> dict[str, Any]:
        async with customer(writing_node, permits=True) as somebody:
            return await somebody.ask(QUESTION)

    answers = await asyncio.gather(*(ask() for _ in range(CROWD)))
    assert all(answer["citations"] for answer in answers)
    foreseen = 'postern_overflow_total{{outcome="{}",reason="predicted_wait"}}'
    outcomes = [await metric(writing_node, foreseen.format(outcome)) for outcome in ("whole", "quoted")]
    assert sum(outcomes) >= CROWD - 2  # the first is tried here, and the second where it was nearly done
    routes = [answer["route"] for answer in answers]
    assert routes.count("overflow") >= outcomes[0] > 0


async def recorded(site: Path) -> None:
    """The ledger and the store of a stopped site tell of the text that left."""
    paths = site_paths(site)
    report = reading.verify(paths.ledger)
    assert report.ok, report.problem
    leaves = [leaf.fields for leaf in reading.read(paths.ledger)]
    (intent,) = [leaf for leaf in leaves if leaf.get("kind") == "generate"]
    ended = [leaf for leaf in leaves if "outcome" in leaf and leaf["envelope"] == intent["envelope"]]
    assert [leaf["outcome"] for leaf in ended] == ["written"]
    store = Store.open(paths)
    try:
        rows = await store.read(
            lambda db: db.execute(
                "SELECT label, bytes > 0 FROM text_uses WHERE purpose = 'overflow' ORDER BY at_ms"
            ).fetchall()
        )
    finally:
        await store.close()
    assert rows[:1] == [("public", 1)]
