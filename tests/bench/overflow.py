"""What the gateway adds to a streamed answer of a provider, over asking the same provider directly.

With real processes: the text guard with its encoder and store, in this one; the courier; a control plane that scans
once more, over mTLS; a provider that says words at a steady pace. The direct side is the node's own client of OpenAI's
protocol with one connection that it keeps. Both get the same messages, in interleaved slices; half of the questions
name somebody, so that something is replaced, kept, and restored. Every question is one of its own, of a conversation of
its slice. Passages recur, as a site's do: what keeping their findings saves is measured beside it, on the guard's look
alone. Beside it stands the floor: the two times that a file must be on the disk before the first byte may leave.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from core.completions.asking import PATH, Deadlines, ask
from core.completions.stream import request_body
from edge.app import Site
from edge.chat import prompt
from edge.chat.session import Channel
from edge.chat.understanding import Query
from edge.config import site_paths
from edge.egress.overflow.alert import OverflowAlert
from edge.egress.overflow.client import OverflowClient
from edge.egress.overflow.overflow import Overflow
from edge.egress.text.handover import Handover, Part, parts_of
from edge.egress.text.published_findings import PublishedFindings
from edge.inference.conversation import Begun, Message
from edge.knowledge.document import Audience
from edge.privacy.policy import Purpose
from tests import measured_node
from tests.bench import harness, spike_site

SECONDS = 120.0
# Of a model on a machine of its own: a word each 10 ms, and nothing to wait for before the first.
BETWEEN_S = 0.01
WORDS = 24
SAID = [f" word{number}" for number in range(WORDS)]
DEADLINE_S = 20.0
FIRST_TEXT_S_MAX = 5.0
READY_WAIT_S = 60.0
LOOKS = 60
FENCE = "0a1b2c3d"
MODEL = "m"
# As a site's own questions: what its documents answer, asked in many words.
ASKED = (
    "When is the pharmacy open on {day} {hour}?",
    "Can I park at the clinic on {day} {hour}, and what does it cost?",
    "Where do I go for a blood test on {day} {hour}?",
    "How do I get a copy of my bill before {day} {hour}?",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
NAMES = ("Anna Kowalska", "John Peters", "Maria Gonzalez", "Peter Novak", "Susan Clarke", "Omar Hassan")


@dataclass
class Side:
    """Of one way, seconds: to the first text of each answer, and between its pieces."""

    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    """A slice of each side."""

    ours: Side
    theirs: Side


@dataclass
class Gateway:
    """The site in this process, and the way out of it."""

    site: Site
    overflow: Overflow
    questions: Iterator[str]
    passages: dict[str, Sequence[Any]] = field(default_factory=dict)

    async def session(self) -> str:
        """A conversation of a customer who permits help from outside."""
        made = await self.site.sessions.create(Channel.KIOSK, "en")
        await self.site.sessions.consent(made.session, "bench", overflow=True)
        return made.session.id

    async def messages(self) -> Sequence[Message]:
        """The prompt of the next question, with the passages that the site found for one of its kind."""
        question = next(self.questions)
        kind = question.split(" ", 3)[2]
        if kind not in self.passages:
            considered = await self.site.answering.submit(Query(question, Audience.PUBLIC))
            self.passages[kind] = considered.understood.passages
        made = prompt.make("the clinic", question, self.passages[kind], fence=FENCE, tokens_max=1_500)
        if made is None:
            raise harness.BenchRefused("No passage fits a prompt.")
        return made.messages


def questions() -> Iterator[str]:
    """Without an end, no two alike; each second one names somebody."""
    for number in itertools.count():
        asked = ASKED[number % len(ASKED)]
        text = asked.format(day=DAYS[number % len(DAYS)], hour=f"at {number // 60 % 24}:{number % 60:02}")
        yield f"{text} I am {NAMES[number % len(NAMES)]}." if number % 2 else text


async def timed(pieces: AsyncGenerator[Any, None], began: float, into: Side) -> None:
    """Read an answer to its end. Raises BenchRefused for one that is not whole."""
    last, count = 0.0, 0
    async with aclosing(pieces) as texts:
        async for piece in texts:
            now = time.perf_counter()
            if isinstance(piece, Begun) or piece == "":
                continue
            if last:
                into.gaps.append(now - last)
            else:
                into.first.append(now - began)
            last, count = now, count + 1
    if count < WORDS:
        raise harness.BenchRefused(f"An answer had {count} pieces, not {WORDS}.")


async def slice_of(one: Callable[[Side], Any]) -> Side:
    """Answers one after the other for about a second."""
    side, until = Side(), time.perf_counter() + harness.SLICE_S
    while not side.first or time.perf_counter() < until:
        await one(side)
    return side


async def through_gateway(gateway: Gateway, into: Side, session: str) -> None:
    messages = await gateway.messages()
    began = time.perf_counter()
    pieces = gateway.overflow.generate(messages, max_new_tokens=WORDS, deadline_s=DEADLINE_S, about=session)
    await timed(pieces, began, into)


async def directly(gateway: Gateway, client: aiohttp.ClientSession, url: str, into: Side) -> None:
    spoken = [(message.role, message.text) for message in await gateway.messages()]
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    until = Deadlines(loop.time() + FIRST_TEXT_S_MAX, loop.time() + DEADLINE_S)
    headers = {"content-type": "application/json", "accept": "text/event-stream"}
    body = request_body(MODEL, spoken, WORDS)
    chunks = ask(client, f"{url}{PATH}", body, headers, until)
    await timed((chunk.text async for chunk in chunks), began, into)


async def pairs_of(gateway: Gateway, url: str, pairs: int) -> list[Pair]:
    """Interleaved slices; which side goes first alternates."""
    found = []
    connector = aiohttp.TCPConnector(limit=4)
    async with aiohttp.ClientSession(
        connector=connector, timeout=aiohttp.ClientTimeout(total=None)
    ) as client:
        for number in range(pairs):
            session = await gateway.session()
            ways = [
                lambda side: through_gateway(gateway, side, session),  # noqa: B023
                lambda side: directly(gateway, client, url, side),
            ]
            sides = [await slice_of(way) for way in (ways if number % 2 else reversed(ways))]
            ours, theirs = sides if number % 2 else reversed(sides)
            found.append(Pair(ours, theirs))
            harness.progress(
                f"pair {number + 1} of {pairs}: {added_first_ms([found[-1]]):.1f} ms to the first text"
            )
    return found


def added_first_ms(pairs: Sequence[Pair]) -> float:
    """Median over pairs of what the median of a slice is later."""
    return statistics.median(
        1000 * (statistics.median(pair.ours.first) - statistics.median(pair.theirs.first)) for pair in pairs
    )


def added_gap_ms(pairs: Sequence[Pair]) -> float:
    """The 99th percentile of the gaps of all slices, over that of the other side."""
    ours = [gap for pair in pairs for gap in pair.ours.gaps]
    theirs = [gap for pair in pairs for gap in pair.theirs.gaps]
    return 1000 * (harness.percentile(ours, 99) - harness.percentile(theirs, 99))


def fsync_ms(folder: Path, times: int = 50) -> float:
    """Median of making 4 KiB more of a file durable, in the site's folder."""
    took = []
    with (folder / "fsync.bench").open("wb") as file:
        for _ in range(times):
            file.write(os.urandom(4096))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


async def looks_ms(gateway: Gateway) -> dict[str, float]:
    """Median of the guard's look at a prompt, with the findings of its passages kept, and without: interleaved."""
    looking = gateway.site.texts.guard._looking
    known, fresh = looking._published, PublishedFindings(0)
    took: dict[str, list[float]] = {"known": [], "fresh": []}
    for number in range(2 * LOOKS):
        parts: Sequence[Part] = parts_of(await gateway.messages())
        looking._published = fresh if number % 2 else known
        began = time.perf_counter()
        await looking.look(parts)
        took["fresh" if number % 2 else "known"].append(time.perf_counter() - began)
    looking._published = known
    return {f"look_{name}_ms": round(1000 * statistics.median(each), 2) for name, each in took.items()}


async def admits_ms(gateway: Gateway) -> float:
    """Median of all that the guard does, its commit included."""
    took, session = [], await gateway.session()
    for _ in range(LOOKS):
        messages = await gateway.messages()
        asked = Handover.of(Purpose.OVERFLOW, session, messages, max_new_tokens=WORDS)
        began = time.perf_counter()
        await gateway.site.texts.guard.admit(asked)
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


@contextmanager
def provider() -> Iterator[str]:
    """The provider in a process of its own; its address."""
    command = [sys.executable, "-m", "tests.faulty_provider", "--between-s", str(BETWEEN_S)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdin
        port = json.loads(process.stdout.readline())["port"]
        process.stdin.write(json.dumps({"words": SAID}) + "\n")
        process.stdin.flush()
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


@contextmanager
def courier(site: Path, network: str = "") -> Iterator[None]:
    """The courier alone: the node is this process. `network`: the network namespace that it runs in."""
    inside = ("ip", "netns", "exec", network) if network else ()
    command = [*inside, sys.executable, "-m", "edge.cli", "courier", "--site", str(site)]
    with (site / "courier.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def gateway_of(site: Path) -> AsyncIterator[Gateway]:
    """The site, once the way to the control plane is open."""
    paths = site_paths(site)
    async with measured_node.opened(paths) as opened:
        client = OverflowClient(paths.courier_socket)
        running = asyncio.create_task(client.run())
        try:
            async with asyncio.timeout(READY_WAIT_S):
                while not client.ready:
                    await asyncio.sleep(0.05)
            overflow = Overflow(
                client, opened.texts.guard.admit, OverflowAlert(opened.store), FIRST_TEXT_S_MAX
            )
            yield Gateway(opened, overflow, questions())
        finally:
            running.cancel()


def settings_of(url: str) -> str:
    """What cloud.toml says of the provider."""
    return (
        f'\n[[overflow.providers]]\nname = "bench"\nkind = "openai"\nurl = "{url}"\nmodel = "{MODEL}"\n'
        "cost_per_1000_tokens = 0.0\n"
    )


async def measure(site: Path, url: str, pairs: int) -> tuple[list[Pair], dict[str, Any]]:
    async with gateway_of(site) as gateway:
        session = await gateway.session()
        for _ in range(8):  # connections, caches and branches of the code that serve once
            await through_gateway(gateway, Side(), session)
        found = await pairs_of(gateway, url, pairs)
        beside = {"fsync_ms": round(fsync_ms(site), 2), "guard_ms": round(await admits_ms(gateway), 2)}
        return found, {**beside, **await looks_ms(gateway)}


def summed_up(pairs: Sequence[Pair], beside: dict[str, Any]) -> dict[str, Any]:
    """What a person wants to know beside what is judged."""
    sides = {"through_gateway": [pair.ours for pair in pairs], "directly": [pair.theirs for pair in pairs]}
    told: dict[str, Any] = {"pairs": len(pairs), "fsyncs_before_the_first_byte": 2, **beside}
    for name, those in sides.items():
        first = [seconds for side in those for seconds in side.first]
        gaps = [seconds for side in those for seconds in side.gaps]
        told[name] = {
            "answers": len(first),
            "first_text_p50_ms": round(1000 * harness.percentile(first, 50), 2),
            "first_text_p95_ms": round(1000 * harness.percentile(first, 95), 2),
            "gap_p50_ms": round(1000 * harness.percentile(gaps, 50), 2),
            "gap_p99_ms": round(1000 * harness.percentile(gaps, 99), 2),
        }
    return told


def bench(seconds: float) -> harness.Report:
    """Run it."""
    report = harness.Report("overflow")
    pairs = max(harness.PAIRS_MIN, round(seconds / (2 * harness.SLICE_S)))
    report.config = {"pairs": pairs, "words": WORDS, "between_s": BETWEEN_S, **spike_site.INVENTED}
    with tempfile.TemporaryDirectory() as name, provider() as url:
        folder = Path(name)
        site = spike_site.make_site(folder)
        with spike_site.cloud(folder / "cloud", settings_of(url)) as cloud:
            cloud.enrol(site)
            with courier(site):
                found, beside = uvloop.run(measure(site, url, pairs))
    report.results = summed_up(found, beside)
    for key, statistic in (("first_text_added_p50_ms", added_first_ms), ("gap_added_p99_ms", added_gap_ms)):
        low, high = harness.bootstrap(found, statistic)
        report.judged |= {
            key: round(statistic(found), 2), f"{key}_low": round(low, 2), f"{key}_high": round(high, 2)
        }  # fmt: skip
    return report


def main() -> int:
    return harness.run(harness.arguments("overflow", SECONDS), lambda options: bench(options.seconds))


if __name__ == "__main__":
    sys.exit(main())
