"""Answers in the real model's words, at the real node: checked, replaced where they fail, stopped when nobody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.running import Customer, RunningNode, command, names, running

QUESTION = "When is the pharmacy open?"
# Long for a loaded machine, and an error when it is reached.
WAIT_S = 120.0


@pytest.fixture
def writing_node(clinic: Path) -> Iterator[RunningNode]:
    """A node of the test's own whose answers the model writes, however long that takes."""
    settings = clinic / "site.toml"
    text = settings.read_text()
    assert 'mode = "extractive"' in text
    mode = 'mode = "generative"\nfirst_token_deadline_s = 60\ngenerate_deadline_s = 110'
    settings.write_text(text.replace('mode = "extractive"', mode))
    with running(clinic) as started:
        yield started


async def status(node: RunningNode) -> dict[str, Any]:
    found: dict[str, Any] = await command("status", "--site", str(node.site), "--json")
    return found


@pytest.mark.proves("marking")
async def test_what_is_shown_is_checked_and_every_end_is_counted(writing_node: RunningNode) -> None:
    counted: dict[str, int] = {}
    async with Customer.at(writing_node.url) as customer, asyncio.timeout(WAIT_S):
        while not counted:  # until the worker is there, answers are quotes
            events = await customer.stream(QUESTION)
            counted = (await status(writing_node))["generated"]
    shown = [data["text"] for name, data in events if name == "delta"]
    final = events[-1][1]
    assert set(names(events)) <= {"meta", "delta", "final"}
    assert sum(counted.values()) == 1
    assert (final["route"] == "generate") is ("grounded" in counted)
    if final["route"] == "generate":
        assert "".join(shown) == final["answer"]
    assert final["citations"]
    assert all(citation["quote"] for citation in final["citations"])
