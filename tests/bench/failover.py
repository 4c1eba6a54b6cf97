"""A node is killed (SIGKILL) while 200 chats are being answered: how soon do they go on at the sibling, what is lost?

Two real nodes (`postern run`) of the sample clinic, answering in the words of a scripted model on the site's network:
that of the one which dies writes slowly, so that it dies in the middle of the answers, the sibling's 100 tokens a
second. The chats know the documented protocol and nothing of the page. Then the two other benches of failover, `faults`
and `availability`, the latter shortened (`make soak` has the long one). `python -m tests.bench.failover --json`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import psutil

from tests.bench import harness, spike_site, spike_texts
from tests.bench.failover_chats import Chat
from tests.running import RunningNode, prepare_clinic, running
from tests.two_nodes import make_siblings

CHATS: Final = 200
SLOW_TOKENS_PER_S: Final = "4"
"""Some ten seconds for an answer: all chats are in the middle of one at the same time."""

OPENING: Final = 8
"""Chats that begin at once."""

BEFORE_S_MAX: Final = 120.0
"""Until all of them have had an answer and are in the middle of the next."""

GOES_ON_S_MAX: Final = 60.0
"""Until all of them have had theirs at the sibling."""

CARRIED_MAX: Final = 8
"""Of a chat's answers, the newest, the sibling knows so many (docs/api.md)."""

QUESTIONS: Final = 40
"""That the documents answer; each chat asks them in an order of its own."""

CONTEXT_CHATS: Final = 20

AVAILABILITY_S: Final = 240
"""So that all three together take less than ten minutes."""

OTHERS: Final = {"faults": (), "availability": ("--seconds", str(AVAILABILITY_S))}
"""Benches whose judgements belong to this one's, with their options."""

LEANING: Final = "And on Saturday?"
SEED: Final = 7


def main(options: argparse.Namespace) -> harness.Report:
    report = harness.Report(
        "failover",
        {"chats": options.chats, "dying_tokens_per_s": float(SLOW_TOKENS_PER_S), "rounds": options.rounds},
    )
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare_clinic(Path(folder))
        with (prepared / "site.toml").open("a") as settings:
            settings.write(spike_site.LIMITS)
        rounds = [
            _round(prepared, Path(folder) / f"round-{number}", options.chats)
            for number in range(options.rounds)
        ]
    report.results["rounds"] = rounds
    report.judged |= {
        "resume_s": max(one["resume_s"]["max"] for one in rounds),
        "turns_lost": sum(one["turns_lost"] for one in rounds),
        "gone_on_share": min(one["gone_on"] for one in rounds) / options.chats,
        "context_kept_share": min(one["context_kept_share"] for one in rounds),
    }
    return report


def _round(prepared: Path, folder: Path, chats: int) -> dict[str, Any]:
    folder.mkdir()
    with ExitStack() as stack:
        providers = [
            stack.enter_context(spike_site.provider("--tokens-per-s", speed))
            for speed in (SLOW_TOKENS_PER_S, "100")
        ]
        sites = make_siblings(prepared, folder, [_writes(one.url) for one in providers])
        for site in sites:
            spike_site.answer_in(site, "generative")
        nodes = [stack.enter_context(running(site)) for site in sites]
        harness.progress("two nodes serve")
        return asyncio.run(_chatting(nodes, chats))


def _writes(url: str) -> str:
    return f'\n[models.llm_server]\nurl = "{url}/v1"\nmodel = "grounded"\n'


async def _chatting(nodes: Sequence[RunningNode], count: int) -> dict[str, Any]:
    urls = [node.url for node in nodes]
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        chats = [Chat(http, urls) for _ in range(count)]
        questions = await _answerable(http, urls[1])
        door = asyncio.Semaphore(OPENING)

        async def talk(chat: Chat, number: int) -> None:
            async with door:
                await chat.arrive()
            own = random.Random(SEED + number).sample(questions, len(questions))
            await chat.talk(own)

        tasks = [asyncio.create_task(talk(chat, number)) for number, chat in enumerate(chats)]
        await _all_under_way(chats)
        pids = _processes(nodes[0])
        sibling = psutil.Process(nodes[1].pid_of("node"))
        before_cpu_s = _cpu_s(sibling)
        killed_s = time.monotonic()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        before = [list(chat.final) for chat in chats]
        asked, partly = [chat.open for chat in chats], sum(chat.shown > 0 for chat in chats)
        harness.progress(f"killed with {count} chats in the middle of an answer")
        _, late = await asyncio.wait(tasks, timeout=GOES_ON_S_MAX)
        for task in late:
            task.cancel()
        told = {"partly_shown": partly, **_told(chats, killed_s)}
        told["sibling_cpu_s"] = round(_cpu_s(sibling) - before_cpu_s, 2)
        told["turns_lost"], told["turns_final_before"] = await _lost(chats, before)
        told["context_kept_share"] = await _context_kept(http, urls[1], chats, asked)
        harness.progress(str({key: value for key, value in told.items() if key != "failed"}))
        return told


def _processes(node: RunningNode) -> list[int]:
    """All of the node, its supervisor first: a machine dies. Started anew beside its sibling the node would take the
    cores from it, which no other machine does."""
    return [node.process.pid, *(node.pid_of(name) for name in ("node", "worker", "courier"))]


def _cpu_s(process: psutil.Process) -> float:
    """Of all cores: what the sibling needs for all chats is the same on a busy machine."""
    times = process.cpu_times()
    return float(times.user + times.system)


async def _answerable(http: aiohttp.ClientSession, url: str) -> list[str]:
    """Questions that are answered in a model's words, found out at the idle sibling."""
    chat, found = Chat(http, [url]), list[str]()
    await chat.arrive()
    for text in spike_texts.asked():
        if (await chat.ask(text))["route"] == "generate":
            found.append(text)
        if len(found) == QUESTIONS:
            break
    if not found:
        raise harness.BenchRefused("No question is answered in a model's words: see the node's log.")
    return found


async def _all_under_way(chats: Sequence[Chat]) -> None:
    """Wait until every chat has had an answer, and is in the middle of the next."""
    until = time.monotonic() + BEFORE_S_MAX
    while time.monotonic() < until:
        if all(chat.open is not None and chat.final for chat in chats):
            return
        if broken := [chat.failed for chat in chats if chat.failed]:
            raise harness.BenchRefused(f"A chat ended before the node was killed: {broken[0]}.")
        await asyncio.sleep(0.05)
    raise harness.BenchRefused(f"The chats were not under way within {BEFORE_S_MAX:.0f} s.")


def _told(chats: Sequence[Chat], killed_s: float) -> dict[str, Any]:
    """Seconds from the kill: noticed, taken up by the sibling, and its first text on the screen."""
    back = [chat.back_s - killed_s for chat in chats if chat.back_s is not None]
    taken = [chat.taken_s - killed_s for chat in chats if chat.taken_s is not None]
    gone = [chat.gone_s - killed_s for chat in chats if chat.gone_s is not None]
    return {
        "mid_answer": len(chats),
        "gone_on": len(back),
        "noticed_s": _spread(gone),
        "taken_s": _spread(taken),
        "resume_s": _spread(back),
        "had_to_wait_for_room": sum(chat.retries > 0 for chat in chats),
        "failed": sorted({chat.failed for chat in chats if chat.failed}),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p95": None, "max": None}
    points = {
        "p50": harness.percentile(values, 50),
        "p95": harness.percentile(values, 95),
        "max": max(values),
    }
    return {name: round(value, 3) for name, value in points.items()}


async def _lost(chats: Sequence[Chat], before: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Turns that were final at the dead node, and that the sibling does not know; of how many that were looked for."""
    lost = looked = 0
    for chat, turns in zip(chats, before, strict=True):
        for turn in turns[-CARRIED_MAX:]:
            looked += 1
            lost += not await chat.known(turn)
    return lost, looked


async def _context_kept(
    http: aiohttp.ClientSession, sibling: str, chats: Sequence[Chat], asked: Sequence[str | None]
) -> float:
    """Share of chats that answer a question which leans on the one before as a chat that never moved does."""
    same = looked = 0
    for chat, question in list(zip(chats, asked, strict=True))[:CONTEXT_CHATS]:
        if question is None or chat.failed:
            continue
        control = Chat(http, [sibling])
        await control.arrive()
        await control.ask(question)
        looked += 1
        same += not _about(await chat.ask(LEANING)).isdisjoint(_about(await control.ask(LEANING)))
    return round(same / looked, 4) if looked else 0.0


def _about(turn: dict[str, Any]) -> frozenset[str]:
    """The documents that the answer is from: whether it is said in quotes or in a model's words hangs on the load, and
    of two documents on which a quote rests a model may repeat one."""
    return frozenset(cited["doc"] for cited in turn["citations"]) or frozenset({turn["route"]})


def with_others(options: argparse.Namespace) -> harness.Report:
    """This bench, and what the others found; one that breaks gives no figure."""
    report = main(options)
    for name, arguments in OTHERS.items():
        harness.progress(f"now the bench {name}")
        command = [sys.executable, "-m", f"tests.bench.{name}", "--json", *arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        with suppress(ValueError):
            found = json.loads(done.stdout)
            report.results[name] = found["results"]
            report.judged |= found["judged"]
    return report


def _options() -> argparse.ArgumentParser:
    parser = harness.arguments("failover", 60)
    parser.add_argument("--chats", type=int, default=CHATS)
    parser.add_argument("--rounds", type=int, default=2, help="kills, each of two new nodes")
    return parser


if __name__ == "__main__":
    sys.exit(harness.run(_options(), with_others))
