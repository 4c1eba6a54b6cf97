"""Intents through the real programs: train, predict with and without a node, swap under it, refuse, go back."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.piped import answers, answers_one_by_one
from tests.running import Customer, RunningNode, command, copy_site, running

pytestmark = [pytest.mark.models, pytest.mark.slow]


@pytest.fixture
def site(clinic: Path) -> Path:
    return clinic


@pytest.fixture(scope="module")
def node(prepared_clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """One that acts on what it is not so sure of."""
    made = copy_site(prepared_clinic, tmp_path_factory.mktemp("node"))
    toml = made / "site.toml"
    toml.write_text(toml.read_text() + "\n[intents]\nconfidence_min = 0.3\n")
    with running(made) as started:
        yield started


def rows_of(site: Path) -> list[dict[str, str]]:
    with (site / "intents.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "intent"])
        writer.writeheader()
        writer.writerows(rows)
    return path


async def predicted(site: Path, lines: bytes, expect: int = 0) -> list[dict[str, Any]]:
    found, _ = await answers("intents", "predict", "--site", str(site), lines=lines, expect=expect)
    return found


def as_lines(texts: list[str]) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


@pytest.mark.long
async def test_predicting_is_the_same_with_and_without_a_node(site: Path) -> None:
    texts = [row["text"] for row in rows_of(site)[:150]]
    alone = await predicted(site, as_lines(texts))
    with running(site):
        beside = await predicted(site, as_lines(texts))
    assert len(alone) == len(texts)
    assert [(p["intent"], p["in_scope"]) for p in alone] == [(p["intent"], p["in_scope"]) for p in beside]
    assert all(0 <= p["confidence"] <= 1 and set(p) == {"intent", "confidence", "in_scope"} for p in alone)


async def test_a_line_is_answered_before_the_next_is_written(node: RunningNode) -> None:
    lines = [as_lines([text]) for text in ("where can I park", "do you have a toilet")]
    site = str(node.site)
    found = [one async for one in answers_one_by_one("intents", "predict", "--site", site, lines=lines)]
    assert len(found) == len(lines)
    assert all(one["intent"] for one in found)


async def test_a_bad_line_ends_it_after_the_good_ones(site: Path) -> None:
    lines = as_lines(["where can I park"]) + b'{"question": "x"}\n' + as_lines(["hello"])
    assert len(await predicted(site, lines, expect=2)) == 1


@pytest.mark.long
async def test_a_new_intent_serves_without_a_restart_and_goes_again(site: Path, tmp_path: Path) -> None:
    """The turn's body names it, its rule answers; the version before knows nothing of it."""
    toml = site / "site.toml"
    rule = (
        '\n[intents]\nconfidence_min = 0.3\n\n[[intents.rules]]\nintent = "dragons"\nanswer = "No dragons."\n'
    )
    toml.write_text(toml.read_text() + rule)
    places = [
        "in the garden",
        "at the desk",
        "here",
        "on the roof",
        "today",
        "for my son",
        "please",
        "upstairs",
    ]
    dragons = [{"text": f"may I bring my dragon {place}", "intent": "dragons"} for place in places]
    dragons += [{"text": f"do you treat dragons {place}", "intent": "dragons"} for place in places]
    file = table(tmp_path / "more.csv", rows_of(site) + dragons)
    with running(site) as node:
        async with Customer.at(node.url) as customer:
            before = await customer.ask("do you treat dragons in the evening")
            trained = await command("intents", "train", "--site", str(site), str(file), "--json")
            assert trained["active"], trained["reasons"]
            assert trained["before"]["examples"] == len(rows_of(site))
            after = await customer.ask("do you treat dragons in the evening")
            assert before["intent"]["name"] != "dragons"
            assert after["intent"]["name"] == "dragons"
            assert after["answer"] == "Our standing answer: No dragons."
            assert (after["route"], after["citations"]) == ("answer", [])
            await command("intents", "roll-back", "--site", str(site))
            again = await customer.ask("do you treat dragons in the evening")
            assert again["intent"] == before["intent"]
            listed = await command("intents", "list", "--site", str(site), "--json")
            assert [(m["version"], m["state"]) for m in listed] == [(2, "retired"), (1, "active")]


@pytest.mark.long
async def test_a_file_that_forgets_an_intent_does_not_serve_unless_accepted(
    site: Path, tmp_path: Path
) -> None:
    file = table(tmp_path / "less.csv", [row for row in rows_of(site) if row["intent"] != "talk_to_human"])
    refused = await command("intents", "train", "--site", str(site), str(file), "--json", expect=3)
    assert not refused["active"]
    assert "talk_to_human" in refused["reasons"][0]
    await command("intents", "activate", "2", "--site", str(site), expect=3)
    assert (await command("intents", "activate", "2", "--site", str(site), "--accept", "--json")) == {
        "active": 2
    }


async def test_whoever_asks_for_a_person_is_handed_over(customer: Customer) -> None:
    answer = await customer.ask("I want to talk to a human being")
    assert answer["intent"]["name"] == "talk_to_human"
    assert answer["route"] == "handoff"
    assert "staff" in answer["answer"]


async def test_faults_of_a_file_are_told_with_their_line(site: Path, tmp_path: Path) -> None:
    file = table(tmp_path / "bad.csv", [*rows_of(site)[:3], {"text": "", "intent": "parking"}])
    told = await command("intents", "train", "--site", str(site), str(file), expect=1)
    assert "line 5 has no text" in told
