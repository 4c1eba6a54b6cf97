"""Each process killed while it works: no committed row is lost, chat goes on, and what died comes back.

And the control plane stopped in the middle of a conversation: the customer notices nothing, and no row of the outbox
is lost or doubled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest
import pytest_asyncio
import sqlalchemy as sa

from cloud_sync.store.schema import records
from tests.integration.sync.rig import ControlPlaneProcess
from tests.running import Customer, RunningNode, command, running

SATURDAY = "When are you open on Saturday?"
# What the default model writes about it is borne out by the documents; of Saturday it says a wrong hour.
VACCINATION = "What does a flu vaccination cost?"
# Long for a loaded machine, and an error when it is reached.
WAIT_S = 90.0
# Of the worker's processor time: it has begun, and is far from done (an answer takes ten times that).
WRITING_CPU_S = 0.05
POLL_S = 0.005


async def until(
    condition: Callable[[], Awaitable[bool]], seconds: float = WAIT_S, between_s: float = 0.05
) -> float:
    """Wait for a condition; how long it took. Raises TimeoutError."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(between_s)
    return time.monotonic() - began


async def serves(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@pytest.mark.proves("durability")
async def test_kill_of_the_node_loses_no_committed_turn(kept_node: RunningNode) -> None:
    async with Customer.at(kept_node.url) as customer:
        answered = [(await customer.ask(SATURDAY))["turn_id"] for _ in range(5)]
        asking = asyncio.create_task(customer.ask(SATURDAY))
        await asyncio.sleep(0)
        kept_node.kill("node")
        (cut_off,) = await asyncio.gather(asking, return_exceptions=True)
        if isinstance(cut_off, dict):  # it was told final before the kill, so it must be there
            answered.append(cut_off["turn_id"])
        await until(lambda: serves(kept_node.url))
        # The same conversation, token and consent go on; every turn that was told final is still there.
        for turn_id in answered:
            feedback = f"{customer.turns}/{turn_id}/feedback"
            assert (await customer.send("POST", feedback, {"useful": True}))[0] == 204
        assert (await customer.ask(SATURDAY))["route"] == "answer"


@pytest.mark.proves("durability")
@pytest.mark.parametrize("name", ["worker", "courier"])
async def test_kill_of_worker_or_courier_is_not_noticed_by_a_customer(
    own_node: RunningNode, name: str
) -> None:
    async with Customer.at(own_node.url) as customer:

        async def running_again() -> bool:
            try:
                return own_node.pid_of(name) != killed
            except LookupError:
                return False

        killed = own_node.kill(name)
        assert (await customer.ask(SATURDAY))["route"] == "answer"
        await until(running_again)
        assert (await customer.ask(SATURDAY))["route"] == "answer"


@pytest.fixture
def talkative(clinic: Path) -> Iterator[RunningNode]:
    """A node whose language model puts answers in words."""
    settings = (clinic / "site.toml").read_text().replace('mode = "extractive"', 'mode = "generative"')
    settings = settings.replace(
        "[answer]", "[answer]\nfirst_token_deadline_s = 60\ngenerate_deadline_s = 110"
    )
    (clinic / "site.toml").write_text(settings)
    with running(clinic) as node:
        yield node


async def wait_for_the_model(customer: Customer) -> None:
    """Until it writes; asked seldom enough for the limit of a conversation, however long the model takes."""

    async def generates() -> bool:
        return (await customer.ask(VACCINATION))["route"] == "generate"

    await until(generates, between_s=0.5)


@pytest.mark.long
async def test_a_stop_in_the_middle_of_a_stream_is_clean_and_in_time(talkative: RunningNode) -> None:
    async with Customer.at(talkative.url) as customer:
        await wait_for_the_model(customer)
        events = customer.events(VACCINATION)
        async for name, _ in events:
            if name == "delta":
                break
        # `stop` fails past the contract's 10 s.
        await asyncio.to_thread(talkative.stop)
        await events.aclose()
    assert talkative.process.returncode == 0


@pytest.mark.long
async def test_kill_of_the_worker_in_the_middle_of_its_words_ends_in_a_whole_answer(
    talkative: RunningNode,
) -> None:
    node = talkative
    async with Customer.at(node.url) as customer:
        await wait_for_the_model(customer)
        worker = psutil.Process(node.pid_of("worker"))
        before_s = sum(worker.cpu_times()[:2])
        asked = asyncio.create_task(customer.stream(VACCINATION))
        # Sentences are shown only when they are whole and checked; that it writes shows earlier in what it computes.
        while sum(worker.cpu_times()[:2]) - before_s < WRITING_CPU_S:
            await asyncio.sleep(POLL_S)
        node.kill("worker")
        seen = await asked
        # What was cut off is not shown as whole: the final answer is quotes, whatever was streamed before.
        name, answer = seen[-1]
        assert (name, answer["route"]) == ("final", "answer")
        assert answer["answer"] == "\n".join(citation["quote"] for citation in answer["citations"])


@pytest_asyncio.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    started = ControlPlaneProcess(tmp_path / "cloud")
    await started.create()
    await started.start()
    yield started
    await started.stop()


@pytest.mark.proves("durability")
async def test_the_control_plane_goes_and_comes_back_in_the_middle_of_a_conversation(
    clinic: Path, cloud: ControlPlaneProcess, tmp_path: Path
) -> None:
    code = await cloud.new_code()
    await command("enroll", "--site", str(clinic), "--cloud", cloud.enrolment, "--code", code, "--json")
    with running(clinic) as node:
        site = str(clinic)

        async def connected() -> bool:
            return bool((await command("status", "--site", site, "--json"))["sync"]["connected"])

        async def drained() -> bool:
            return bool((await command("status", "--site", site, "--json"))["outbox"]["rows"] == 0)

        await until(connected)
        async with Customer.at(node.url) as customer:
            assert (await customer.ask(SATURDAY))["route"] == "answer"
            await cloud.kill()
            for number in range(3):
                page = tmp_path / f"page-{number}.md"
                page.write_text(f"# Page {number}\n\nThis is page number {number} of the unicorn stable.\n")
                await command("kb", "add", "--site", site, str(page), "--json")
                assert (await customer.ask(SATURDAY))["route"] == "answer"
            await cloud.start()
            await until(connected)
            newest = (await command("status", "--site", site, "--json"))["outbox"]["newest_sequence"]
            await until(drained)
    sequences = await received(cloud)
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) >= newest > 3


async def received(cloud: ControlPlaneProcess) -> list[Any]:
    """Every sequence that the control plane has committed, in order: the oracle."""
    query = sa.select(records.c.seq).order_by(records.c.seq)
    rows = await cloud.database.run(lambda db: db.execute(query).all())
    return [row.seq for row in rows]
