"""Erasure: how long it takes at a node that answers others, and what of a thousand canaries can be read afterwards.

People come under a name of their own, give names, ask what no document answers, complain, write to staff and get
replies: each a canary. A backup is made; then everybody is erased, one after the other, while customers go on asking.
What is left is looked for byte by byte in all files (site, logs, temporary folder, backup), while the node runs and
after its stop, and from inside: every value of every table, opened with every key there is, also in a site that is
restored from the backup. Before the erasure the same look finds what was planted, or the bench is blind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from edge.config import site_paths
from edge.control import STARTING_S
from edge.privacy import receipts
from edge.web import admin
from tests.bench import harness
from tests.canaries import DIGITS, MARK, Hit, canary, found_below
from tests.readable import found_within, values
from tests.running import RunningNode, prepare_clinic, running

CANARIES = 1_000
SECONDS = 400.0
# Customers who ask all the time meanwhile: as many as a busy site has at its screens.
ASKING = 4
# What one person plants.
PLACES = ("subject", "question", "unanswered", "feedback", "message", "reply")
QUESTIONS = ("When are you open on Saturday?", "What does parking cost?", "Where is the pharmacy?")
# Everybody comes from one address, and asks for a person.
ROOM = """
[limits]
address_sessions_per_minute = 100000
node_sessions_per_minute = 1000000
address_sessions_max = 50000
sessions_max = 50000
idle_other_s = 86400

[handoff]
waiting_max = 10000
"""


@dataclass
class Person:
    """Somebody with canaries, and their conversation."""

    words: dict[str, str]
    session: str = ""
    token: str = ""

    @property
    def path(self) -> str:
        """Of their conversation."""
        return f"/api/v1/sessions/{self.session}"


@dataclass
class Measured:
    """What came out."""

    erase_s: list[float] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    asked: int = 0


def main() -> int:
    """Run the bench."""
    parser = harness.arguments("erasure", SECONDS)
    parser.add_argument("--canaries", type=int, default=CANARIES)
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> harness.Report:
    """Plant, back up, erase under load, look everywhere."""
    people = [
        Person({place: canary(number * len(PLACES) + at) for at, place in enumerate(PLACES)})
        for number in range(-(-options.canaries // len(PLACES)))
    ]
    report = harness.Report("erasure", {"people": len(people), "canaries": len(people) * len(PLACES)})
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        temporary = Path(folder) / "tmp"
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        site = prepare_clinic(Path(folder))
        with (site / "site.toml").open("a", encoding="utf-8") as settings:
            settings.write(ROOM)
        backup = Path(folder) / "backup.age"
        with running(site) as node:
            asyncio.run(listening(node))
            asyncio.run(plant(node, people))
            places, unseen = planted(site, people)
            postern("backup", "--site", str(site), str(backup))
            measured = asyncio.run(erase_under_load(node, people))
            hits = {"running": [*found_below([Path(folder)]), *found_within(site_paths(site))]}
        hits["stopped"] = [*found_below([Path(folder)]), *found_within(site_paths(site))]
        hits["restored"] = restored(site, backup, Path(folder) / "restored")
        genuine = sum(is_genuine(receipt, site) for receipt in measured.receipts)
    report.results = {
        "erase_s": {
            "p50": harness.percentile(measured.erase_s, 50),
            "p99": harness.percentile(measured.erase_s, 99),
            "max": max(measured.erase_s),
        },
        "answers_meanwhile": measured.asked,
        "receipts_genuine": genuine,
        "places_before": places,
        "found": {
            when: sorted({f"{hit.path} ({hit.form})" for hit in found})[:50] for when, found in hits.items()
        },
    }
    report.judged = {
        "erase_s": round(max(measured.erase_s), 4),
        "canaries": sum(map(len, hits.values())),
        "unseen_before": unseen,
        "receipts_not_genuine": len(people) - genuine,
    }
    return report


async def plant(node: RunningNode, people: Sequence[Person]) -> None:
    """Let everybody come, one after the other, and leave their conversations open."""
    async with aiohttp.ClientSession(node.url) as http:
        for person in people:
            await come(http, person)
            await speak(http, node, person)


async def come(http: aiohttp.ClientSession, person: Person) -> None:
    """Begin a conversation under one's own name."""
    made = await send(
        http, "POST", "/api/v1/sessions", {"channel": "api", "subject": person.words["subject"]}, 201
    )
    person.session, person.token = made["session_id"], made["token"]
    consent = {"notice_version": made["notice"]["version"], "overflow": True}
    await send(http, "POST", f"{person.path}/consent", consent, 204, person.token)


async def speak(http: aiohttp.ClientSession, node: RunningNode, person: Person) -> None:
    """Say all that a person may say here, and get a reply."""
    said, token = person.words, person.token
    await ask(http, person, f"My name is {said['question']}. When are you open on Saturday?")
    turn = await ask(http, person, f"May {said['unanswered']} bring a parrot to the moon?")
    opinion = {"useful": False, "reason": f"{said['feedback']} is not who I asked for"}
    await send(http, "POST", f"{person.path}/turns/{turn}/feedback", opinion, 204, token)
    ticket = await send(http, "POST", f"{person.path}/turns/{turn}/handoff", {}, 201, token)
    words = {"text": f"This is {said['message']}, please call me."}
    await send(http, "POST", f"{person.path}/messages", words, 201, token)
    reply = {"ticket": ticket["ticket"], "operator": "anna", "text": f"Dear {said['reply']}, we will."}
    await operate(node, "inbox.reply", reply)


async def ask(http: aiohttp.ClientSession, person: Person, text: str) -> str:
    """One question; the turn's identifier."""
    answer = await send(http, "POST", f"{person.path}/turns", {"text": text}, 200, person.token)
    return str(answer["turn_id"])


async def send(
    http: aiohttp.ClientSession, method: str, path: str, body: object, expected: int, token: str = ""
) -> Any:
    """A request, which must be answered with `expected`."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.request(method, path, json=body, headers=headers) as response:
        raw = await response.text()
        if response.status != expected:
            raise harness.BenchRefused(f"{method} {path} was answered with {response.status}: {raw}")
        return json.loads(raw) if raw else None


async def listening(node: RunningNode) -> None:
    """Customers are served a moment before the command line is."""
    async with asyncio.timeout(STARTING_S):
        while not await admin.answers(site_paths(node.site).admin_socket):
            await asyncio.sleep(0.05)


async def operate(node: RunningNode, name: str, arguments: dict[str, object]) -> Any:
    """An operation of the command line, without its start."""
    return await admin.call(site_paths(node.site).admin_socket, name, arguments, lambda _: None)


async def erase_under_load(node: RunningNode, people: Sequence[Person]) -> Measured:
    """Erase everybody while others ask; afterwards nobody's token opens anything."""
    measured, over = Measured(), asyncio.Event()
    async with aiohttp.ClientSession(node.url) as http, asyncio.TaskGroup() as group:
        for number in range(ASKING):
            group.create_task(keep_asking(http, number, measured, over))
        try:
            for person in people:
                began = time.perf_counter()
                given = {"subject": person.words["subject"], "actor": "officer"}
                measured.receipts.append(await operate(node, "privacy.erase", given))
                measured.erase_s.append(time.perf_counter() - began)
                await send(http, "POST", f"{person.path}/turns", {"text": "Hello?"}, 401, person.token)
        finally:
            over.set()
    return measured


async def keep_asking(
    http: aiohttp.ClientSession, number: int, measured: Measured, over: asyncio.Event
) -> None:
    """Somebody who asks all the time, and is nobody that is erased."""
    other = Person({"subject": f"other-{number}"})
    await come(http, other)
    while not over.is_set():
        await ask(http, other, QUESTIONS[measured.asked % len(QUESTIONS)])
        measured.asked += 1


def planted(site: Path, people: Sequence[Person]) -> tuple[list[str], int]:
    """In which columns canaries can be read before the erasure, and how many nowhere: is the look able to see?"""
    mark = re.compile(rb"(?i)%s(\d{%d})" % (MARK.encode(), DIGITS))
    found = [(place, match) for place, value in values(site_paths(site)) for match in mark.findall(value)]
    return sorted({place for place, _ in found}), len(people) * len(PLACES) - len(
        {match for _, match in found}
    )


def restored(site: Path, backup: Path, target: Path) -> list[Hit]:
    """What a site that is restored from the backup says, before and after it served."""
    key = site / "recovery-key"
    postern("restore", "--site", str(target), str(backup), "--recovery-key", str(key))
    hits = [*found_below([target]), *found_within(site_paths(target), "restored")]
    with running(target):
        hits += found_within(site_paths(target), "restored and serving")
    return hits


def postern(*words: str) -> None:
    """A command, which must succeed."""
    subprocess.run([sys.executable, "-m", "edge.cli", *words], check=True, stdout=subprocess.DEVNULL)


def is_genuine(receipt: dict[str, Any], site: Path) -> bool:
    """Whether the site's published key signed it, and it says that something was found."""
    public = receipts.public_key((site / "keys" / "receipts.pub").read_bytes())
    receipts.verify(receipts.Kind.ERASURE, receipt, public)
    return bool(receipt["found"])


if __name__ == "__main__":
    sys.exit(main())
