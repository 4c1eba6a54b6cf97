"""Two nodes of a site, five questions a second, and everything breaks, one after the other: who is answered in 4 s?

Real processes: two nodes that are each other's siblings and answer in a model's words, a control plane behind a link
that can be cut, a provider. Faults come in random order, by a seed, to one of the nodes and to what is behind both. The
customers know the documented protocol (docs/api.md, "When a node dies") and no more; half of them stand at each
node. An answer counts from when it was due until its `final`; a hand-off is none.
`python -m tests.bench.availability --json`; `make soak` takes two hours.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench import harness, spike, spike_site, spike_texts
from tests.bench.failover_chats import GONE, Chat, Refused
from tests.bench.link_proxy import LinkProxy
from tests.bench.machine_faults import Machine, Rig, faults
from tests.bench.turn_load import TurnLoad
from tests.ports import free_ports
from tests.running import RunningNode, running
from tests.two_nodes import make_siblings

SECONDS = 480.0
TURNS_PER_S = 5.0
ANSWER_S_MAX = 4.0
ANSWERED = ("answer", "generate", "overflow")
# Customers of each node: more than ever have a question under way.
KIOSKS = 20
# Questions of one conversation; the next one begins at home again.
TURNS_OF_A_CHAT = 6
# Too late by far: nobody waits on.
GIVE_UP_S = 20.0
# A fault lasts so long, and the same time is left to mend.
FAULT_S = 15.0
SEED = 7
# A third of them is answered.
TEXTS = 600


@dataclass(frozen=True)
class Asked:
    """One question: when it was due, seconds from the start; how long it took, and how it ended."""

    due_s: float
    seconds: float
    end: str
    home: int
    fault: str

    @property
    def in_time(self) -> bool:
        return self.end in ANSWERED and self.seconds <= ANSWER_S_MAX


@dataclass
class Visitor(Chat):
    """A chat that takes each question by itself: what it noticed at the last one does not make it patient."""

    turns: int = 0
    route: str = ""

    async def turn(self, question: str) -> str:
        """The route of the answer, or why there is none."""
        self.turns += 1
        try:
            async with asyncio.timeout(GIVE_UP_S):
                await self._answered(question)
        except Refused as refused:
            return _code(refused)
        except GONE as error:
            return type(error).__name__
        return self.route

    async def _answered(self, question: str) -> None:
        """In a conversation that is new where there is none, or the one before has ended, as the page does it."""
        self.gone_s = self.back_s = None
        self.final.clear()
        if not self.session:
            await self._begin()
        try:
            await self._ask_on(question)
        except Refused as refused:
            if _code(refused) != "session_not_found":
                raise
            await self._begin()
            await self._ask_on(question)

    async def ask(self, question: str) -> dict[str, Any]:
        told = await super().ask(question)
        self.route = str(told["route"])
        return told

    async def _begin(self) -> None:
        """At home, or where somebody is."""
        self.token, self.bearer = None, ""
        try:
            await self.arrive()
        except GONE:
            await self._go_on()


def _code(refused: Refused) -> str:
    return str(refused.args[0].get("code"))


@dataclass
class Crowd:
    """The customers, and what became of their questions. `fault`: what is broken now."""

    http: aiohttp.ClientSession
    nodes: Sequence[str]
    texts: Iterator[str]
    fault: str = ""
    asked: list[Asked] = field(default_factory=list)
    late_s_max: float = 0.0

    async def come(self, seconds: float) -> None:
        """A question every so often, whatever became of those before."""
        began, chance = time.monotonic(), random.Random(SEED)
        self._free: list[tuple[int, Visitor | None]] = [
            (home, None) for home in (0, 1) for _ in range(KIOSKS)
        ]
        async with asyncio.TaskGroup() as group:
            for number in range(int(seconds * TURNS_PER_S)):
                due = began + number / TURNS_PER_S
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                self.late_s_max = max(self.late_s_max, time.monotonic() - due)
                if not self._free:
                    self.asked.append(Asked(due - began, 0.0, "nobody_free", 0, self.fault))
                    continue
                kiosk = self._free.pop(chance.randrange(len(self._free)))
                group.create_task(self._one(due, due - began, *kiosk))

    async def _one(self, due: float, due_s: float, home: int, visitor: Visitor | None) -> None:
        fault = self.fault
        if visitor is None or visitor.turns == TURNS_OF_A_CHAT:
            visitor = Visitor(self.http, [*self.nodes[home:], *self.nodes[:home]], permits=True)
            visitor.node = visitor.nodes[0]
        end = await visitor.turn(next(self.texts))
        self.asked.append(Asked(due_s, time.monotonic() - due, end, home, fault))
        keeps = end in (*ANSWERED, "handoff", "clarify")
        self._free.append((home, visitor if keeps else None))


class Breaking:
    """Faults one after the other, in random order, each as often as any other."""

    def __init__(self, known: dict[str, Callable[[], AbstractContextManager[None]]], seed: int) -> None:
        self._known = known
        self._chance = random.Random(seed)
        self.times: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    async def run(self, crowd: Crowd, fault_s: float) -> None:
        """Until cancelled; what is broken then is mended."""
        while True:
            names = sorted(self._known)
            self._chance.shuffle(names)
            for name in names:
                await asyncio.sleep(fault_s)
                await self._one(name, crowd, fault_s)

    async def _one(self, name: str, crowd: Crowd, fault_s: float) -> None:
        harness.progress(f"fault: {name}")
        try:
            fault = self._known[name]()
            await asyncio.to_thread(fault.__enter__)
        except LookupError:  # the process is not back from the last one
            self.failed[name] += 1
            return
        crowd.fault = name
        self.times[name] += 1
        try:
            await asyncio.sleep(fault_s)
        finally:
            await asyncio.to_thread(fault.__exit__, None, None, None)
            crowd.fault = ""


def bench(options: argparse.Namespace) -> harness.Report:
    report = harness.Report("availability")
    report.results["stopped_cleanly"] = True
    try:
        _stand_all(report, options)
    except (
        subprocess.TimeoutExpired
    ):  # a node that does not stop in time is a fault, too, and told; not of an answer
        report.results["stopped_cleanly"] = False
    return report


def _stand_all(report: harness.Report, options: argparse.Namespace) -> None:
    """The whole of it. Raises TimeoutExpired once all is told, where a node does not stop in time."""
    with tempfile.TemporaryDirectory(prefix="postern-availability-") as temporary, ExitStack() as stack:
        folder = Path(options.state or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        prepared = spike_site.make_site(folder)
        questions = _questions(stack, prepared)
        rig, nodes = _rig(stack, prepared, folder)
        known = faults(rig)
        wanted = {name: known[name] for name in options.faults or known}
        breaking = Breaking(wanted, options.seed)
        crowd = asyncio.run(_stand(breaking, [node.url for node in nodes], questions, options))
        _report(report, crowd, breaking, options)


def _questions(stack: ExitStack, prepared: Path) -> list[str]:
    """Those that the documents answer: a conversation's first, and one that comes after others."""
    load = TurnLoad()
    stack.callback(load.close)
    with spike_site.node(prepared, "idle", "extractive") as idle:
        found = spike.answerable(load, idle, spike_texts.asked()[:TEXTS])
        return spike.answerable(load, idle, found, fresh=False)


def _rig(stack: ExitStack, prepared: Path, folder: Path) -> tuple[Rig, list[RunningNode]]:
    """Everything runs; faults happen to the first node."""
    provider = stack.enter_context(spike_site.provider())
    console, sync, enrolment, link_port = free_ports(4)
    providers = spike_site.overflow_settings(provider.url)
    endpoints = f'endpoints = ["127.0.0.1:{link_port}"]'
    cloud = stack.enter_context(
        spike_site.cloud(folder / "cloud", providers, (console, sync, enrolment), endpoints)
    )
    link = LinkProxy(sync, link_port)
    stack.callback(link.close)
    machine = Machine(folder)
    sites = make_siblings(prepared, folder)
    nodes = []
    for number, site in enumerate(sites):
        spike_site.answer_in(site, "generative")
        cloud.enrol(site)
        with machine.loaded() if number == 0 else ExitStack():
            nodes.append(stack.enter_context(running(site, measured=True)))
    return Rig(nodes[0], cloud, provider, link, machine), nodes


async def _stand(
    breaking: Breaking, nodes: Sequence[str], questions: Sequence[str], options: argparse.Namespace
) -> Crowd:
    """The questions come while things break."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        crowd = Crowd(http, nodes, itertools.cycle(questions))
        work = asyncio.create_task(breaking.run(crowd, options.fault_seconds))
        try:
            await crowd.come(options.seconds)
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
    return crowd


def _report(report: harness.Report, crowd: Crowd, breaking: Breaking, options: argparse.Namespace) -> None:
    by_fault: dict[str, list[Asked]] = defaultdict(list)
    for one in crowd.asked:
        by_fault[one.fault or "none"].append(one)
    in_time = sum(one.in_time for one in crowd.asked)
    low, high = harness.share_interval(in_time, len(crowd.asked))
    report.config |= {
        "seconds": options.seconds,
        "turns_per_s": TURNS_PER_S,
        "answer_s_max": ANSWER_S_MAX,
        "fault_s": options.fault_seconds,
        "seed": options.seed,
        **spike_site.INVENTED,
        "times": dict(breaking.times),
        "not_there_to_break": dict(breaking.failed),
    }
    report.results |= {
        "turns": len(crowd.asked),
        "ends": dict(Counter(one.end for one in crowd.asked)),
        "seconds_p50": round(harness.percentile([one.seconds for one in crowd.asked], 50), 3),
        "seconds_p99": round(harness.percentile([one.seconds for one in crowd.asked], 99), 3),
        "share_by_fault": {
            name: round(sum(one.in_time for one in found) / len(found), 4)
            for name, found in sorted(by_fault.items())
        },
        "missed_by_fault": {
            name: dict(Counter(one.end for one in found if not one.in_time))
            for name, found in sorted(by_fault.items())
            if not all(one.in_time for one in found)
        },
        "sender_late_s_max": round(crowd.late_s_max, 3),
    }
    report.judged |= {
        "answered_share": round(in_time / len(crowd.asked), 5),
        "answered_share_low": round(low, 5),
        "answered_share_high": round(high, 5),
    }


def main() -> int:
    """Run it."""
    parser = harness.arguments("availability", seconds=SECONDS)
    parser.add_argument("--fault-seconds", type=float, default=FAULT_S, help="how long a fault lasts")
    parser.add_argument("--seed", type=int, default=SEED, help="of the order of faults")
    parser.add_argument("--faults", nargs="+", metavar="NAME", help="only these")
    parser.add_argument("--state", help="where sites and logs are kept; else they go away with the bench")
    return harness.run(parser, bench)


if __name__ == "__main__":
    sys.exit(main())
