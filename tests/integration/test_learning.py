"""Learning on a small real site: corrections raise the figures, wrong ones are refused, one command goes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from edge.app import open_site, site_operations
from edge.chat.apart import TrainingFailed
from edge.config import site_paths
from edge.site_setup import create_site
from edge.web.admin import Progress
from tests.integration import mill
from tests.running import Customer, command, running

pytestmark = [pytest.mark.models, pytest.mark.slow]

TIMEOUT_S = 60.0


class Staff:
    """Operations of an open site, as the command line and the console call them."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._table = table

    async def __call__(self, name: str, **arguments: object) -> Any:
        return await self._table[name](arguments, lambda _: None)

    async def correct(self, asked: Sequence[mill.Asked]) -> None:
        for question, document in asked:
            said = {"unanswerable": True} if document is None else {"document": document}
            await self("examples.add", text=question, **said)

    async def answers(self) -> list[dict[str, Any]]:
        """What the desk says to golden questions, without what differs from turn to turn."""
        found = [await self("ask", text=question) for question, _ in mill.GOLDEN]
        return [{key: one[key] for key in ("answer", "citations", "route", "choices")} for one in found]

    async def learn(self) -> dict[str, dict[str, Any]]:
        told = await self("learn.run")
        return {one["kind"]: one for one in told["kinds"]}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The museum, not yet open."""
    paths = site_paths(tmp_path / "mill")
    create_site(paths, "empty", http_port=0)
    settings = paths.config.read_text() + "\n[mqtt]\nport = 0\n\n[discovery]\nenabled = false\n"
    paths.config.write_text(settings)
    paths.golden_questions.write_text(mill.lines(mill.GOLDEN))
    mill.write_documents(paths.documents)
    return paths.root


@asynccontextmanager
async def staff_at(site: Path) -> AsyncIterator[Staff]:
    async with open_site(site_paths(site)) as opened:
        staff = Staff(site_operations(opened).table())
        await staff("kb.add", paths=[str(site_paths(site).documents)])
        yield staff


def right(answers: Sequence[dict[str, Any]]) -> int:
    """How many golden questions are answered from their document."""
    return sum(
        document in {citation["doc"] for citation in answer["citations"]}
        for answer, (_, document) in zip(answers, mill.GOLDEN, strict=True)
    )


def wrong(answers: Sequence[dict[str, Any]]) -> int:
    return sum(
        bool(answer["citations"]) and document not in {citation["doc"] for citation in answer["citations"]}
        for answer, (_, document) in zip(answers, mill.GOLDEN, strict=True)
    )


@pytest.mark.long
async def test_ten_corrections_help_and_one_word_takes_them_back(site: Path) -> None:
    async with staff_at(site) as staff:
        before = await staff.answers()
        await staff.correct(mill.CORRECTIONS)
        learnt = await staff.learn()
        after = await staff.answers()
        told = learnt["evidence"]
        assert told["active"], told["reasons"]
        assert told["after"]["right"] >= told["before"]["right"] + 3
        assert told["after"]["wrong_shown"] <= told["before"]["wrong_shown"]
        assert right(after) >= right(before) + 3
        assert wrong(after) <= wrong(before)
        await staff("learn.roll_back")
        assert await staff.answers() == before
    # Two runs on the same examples learn the same, whoever opens the site.
    async with staff_at(site) as staff:
        assert (await staff.learn())["evidence"]["after"] == told["after"]
        assert await staff.answers() == after
    async with staff_at(site) as staff:
        assert await staff.answers() == after
        states = [(one["kind"], one["state"]) for one in await staff("learn.history")]
        assert ("evidence", "active") in states
        assert ("evidence", "retired") in states


@pytest.mark.long
@pytest.mark.parametrize("said", [None, "lost.md"], ids=["no document answers", "always the same document"])
async def test_wrong_corrections_are_refused(site: Path, said: str | None) -> None:
    async with staff_at(site) as staff:
        before = await staff.answers()
        bad = [(question, said) for question, document in mill.CORRECTIONS if document != "lost.md"]
        await staff.correct([*bad, ("Have you a map?", said)])
        learnt = await staff.learn()
        assert not any(one["active"] for one in learnt.values())
        assert all(one["reasons"] for one in learnt.values())
        assert await staff.answers() == before
        assert {one["state"] for one in await staff("learn.history")} == {"refused"}


@pytest.mark.long
async def test_a_child_that_is_killed_leaves_what_serves(site: Path) -> None:
    async with staff_at(site) as staff:
        before = await staff.answers()
        await staff.correct(mill.CORRECTIONS)

        def kill(_: Progress) -> None:
            for child in psutil.Process().children():
                if "edge.chat.learning.learner" in child.cmdline():
                    child.send_signal(signal.SIGKILL)

        with pytest.raises(TrainingFailed):
            await staff._table["learn.run"]({}, kill)
        assert await staff.answers() == before
        assert await staff("learn.history") == []
        assert (await staff.learn())["evidence"]["active"]


@pytest.mark.long
async def test_a_node_learns_beside_its_customers_and_survives_being_killed_at_it(site: Path) -> None:
    """The command goes through the admin socket; the swap needs no restart; a kill leaves the old models."""
    question, document = "What does a tour for my pupils come to?", "groups.md"
    async with staff_at(site) as staff:
        await staff.correct(mill.CORRECTIONS)
    slow = "Can I take my guide dog upstairs?"
    with running(site) as node:
        async with Customer.at(node.url) as customer:
            before = await customer.ask(slow)
            learning = asyncio.create_task(command("learn", "--site", str(site), "--json", expect=4))
            await _learner_of(node.pid_of("node"))
            os.kill(node.pid_of("node"), signal.SIGKILL)
            await asyncio.wait_for(learning, TIMEOUT_S)
    with running(site) as node:
        assert await command("learn", "--site", str(site), "--history", "--json") == []
        async with Customer.at(node.url) as customer:
            again = await customer.ask(slow)
            assert (again["route"], again["answer"]) == (before["route"], before["answer"])
            learning = asyncio.create_task(command("learn", "--site", str(site), "--json"))
            learner = await _learner_of(node.pid_of("node"))
            assert learner.nice() == 19
            answer = await customer.ask(question)
            assert {citation["doc"] for citation in answer["citations"]} == {document}
            await asyncio.wait_for(learning, TIMEOUT_S)
            assert (await customer.ask(slow))["citations"][0]["doc"] == "dogs.md"
            await command("learn", "--site", str(site), "--roll-back")
            assert (await customer.ask(slow))["route"] == before["route"]


async def _learner_of(node: int) -> psutil.Process:
    """The child of the node that learns, once it is polite."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            for child in psutil.Process(node).children():
                if "edge.chat.learning.learner" in child.cmdline() and child.nice() == 19:
                    return child
            await asyncio.sleep(0.01)
