"""A node under customers: turns a second against the bare encoder, latency added to a bare call, start, memory.

The node is `postern run` on a site with MedQuAD loaded; every turn is durable before it is counted. The bare encoder
is ONNX Runtime on the same int8 file with both cores and its best batch size, in this process, on the same texts
(tokenising counted on both sides). The two never run at the same time: slices of a second alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from edge.config import site_paths
from edge.site_setup import create_site
from tests.bench import harness, medquad
from tests.bench.bare import Bare, NeverEnding, fastest_bare

CONCURRENCY = 32
# Calls at concurrency 1: enough that the 99th percentile rests on several values.
SINGLE_CALLS = 400
READY_STARTS = 3
READY_TIMEOUT_S = 120.0
SEED = 7
# Thirty-two customers who ask without a pause are no people: the rate that stops such a one is lifted.
LIMITS = "\n[limits]\nturns_per_minute = 100000\nnode_turns_per_minute = 1000000\n"
# More than MedQuAD has: all of its questions.
ALL = 1_000_000


@dataclass
class Node:
    """A running node and how to reach it."""

    process: subprocess.Popen[str]
    host: str
    port: int
    ready_s: float

    def rss_mb(self) -> float:
        """Memory of all its processes."""
        family = [psutil.Process(self.process.pid)]
        family += family[0].children(recursive=True)
        return harness.rss_mb([process.pid for process in family])

    def stop(self) -> float:
        """Ask it to stop; seconds until it had."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        return time.perf_counter() - began


def start_node(site: Path) -> Node:
    """`postern run` until its ready line."""
    began = time.perf_counter()
    log = (site / "node.log").open("w")
    command = [sys.executable, "-m", "edge.cli", "run", "--site", str(site)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise harness.BenchRefused(f"The node did not start; see {site / 'node.log'}.")
    ready_s = time.perf_counter() - began
    host, _, port = json.loads(line)["url"].removeprefix("http://").partition(":")
    return Node(process, host, int(port), ready_s)


class Connection(asyncio.Protocol):
    """A keep-alive HTTP/1.1 connection that sends one request at a time; our own, small, so that it costs little."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, rest = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lower = head.lower()
        at = lower.find(b"content-length:")
        length = int(lower[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(rest) >= length and self._answer:
            self._buffer = rest[length:]
            self._answer.set_result((int(head[9:12]), rest[:length]))

    async def request(self, method: str, path: str, token: str, body: object) -> tuple[int, bytes]:
        """Status and body."""
        payload = json.dumps(body).encode()
        self._answer = asyncio.get_running_loop().create_future()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        self._transport.write(head.encode() + payload)
        return await self._answer

    def close(self) -> None:
        self._transport.close()


@dataclass
class Customer:
    """A consented session on its own connection."""

    connection: Connection
    session: str
    token: str

    @classmethod
    async def arrive(cls, node: Node) -> Customer:
        """Open a session and accept the notice."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, node.host, node.port)
        status, body = await connection.request("POST", "/api/v1/sessions", "", {"channel": "kiosk"})
        assert status == 201, body
        made = json.loads(body)
        customer = cls(connection, made["session_id"], made["token"])
        consent = {"notice_version": made["notice"]["version"], "overflow": False}
        status, body = await connection.request(
            "POST", f"/api/v1/sessions/{customer.session}/consent", customer.token, consent
        )
        assert status == 204, body
        return customer

    async def ask(self, text: str) -> tuple[int, bytes]:
        """One turn."""
        path = f"/api/v1/sessions/{self.session}/turns"
        return await self.connection.request("POST", path, self.token, {"text": text})


@dataclass
class Load:
    """The customers, and what became of their questions."""

    customers: list[Customer]
    texts: Iterator[str]
    turns: int = 0
    cited: int = 0
    failed: int = 0
    latencies_s: list[float] = field(default_factory=list)

    async def slice(self, seconds: float) -> float:
        """Turns a second with every customer asking as fast as answers come."""
        before, began = self.turns, time.perf_counter()
        await asyncio.gather(*(self._keep_asking(customer, began + seconds) for customer in self.customers))
        return (self.turns - before) / (time.perf_counter() - began)

    async def _keep_asking(self, customer: Customer, until: float) -> None:
        while (asked := time.perf_counter()) < until:
            status, body = await customer.ask(next(self.texts))
            if status != 200:
                self.failed += 1
                continue
            self.turns += 1
            self.cited += b'"citations":[{' in body
            self.latencies_s.append(time.perf_counter() - asked)


def unique_questions() -> list[str]:
    """MedQuAD's questions, each once, in a fixed random order."""
    questions = sorted({pair.question.strip() for pair in medquad.questions(ALL)})
    random.Random(SEED).shuffle(questions)
    return questions


async def compare(node: Node, questions: list[str], seconds: float, report: harness.Report) -> None:
    """Fill in throughput at 32 customers and latency at one."""
    node_texts, bare_texts = NeverEnding(questions, "Question"), NeverEnding(questions, "Sentence")
    bare, batch, rates = fastest_bare(bare_texts)
    report.results["bare_per_s_by_way"] = rates
    load = Load([await Customer.arrive(node) for _ in range(CONCURRENCY)], node_texts)
    await load.slice(2.0)
    load.turns = load.cited = 0
    load.latencies_s.clear()
    ratios, turn_rates, bare_rates = [], [], []
    pairs = max(harness.PAIRS_MIN, int(seconds / (2 * harness.SLICE_S)))
    for pair in range(pairs):
        if pair % 2:
            bare_rates.append(bare.rate(bare_texts, batch, harness.SLICE_S))
            turn_rates.append(await load.slice(harness.SLICE_S))
        else:
            turn_rates.append(await load.slice(harness.SLICE_S))
            bare_rates.append(bare.rate(bare_texts, batch, harness.SLICE_S))
        ratios.append(turn_rates[-1] / bare_rates[-1])
        if pair % 10 == 9:
            harness.progress(
                f"pair {pair + 1} of {pairs}: {turn_rates[-1]:.0f} turns/s, bare {bare_rates[-1]:.0f}/s"
            )
    report.config |= {
        "concurrency": CONCURRENCY,
        "pairs": pairs,
        "bare_batch": batch,
        "bare_lanes": bare.lanes,
    }
    report.results |= {
        "turns_per_s": round(statistics.median(turn_rates), 1),
        "bare_per_s": round(statistics.median(bare_rates), 1),
        "turns": load.turns,
        "failed": load.failed,
        "turn_c32_p50_ms": round(harness.percentile(load.latencies_s, 50) * 1e3, 1),
        "turn_c32_p99_ms": round(harness.percentile(load.latencies_s, 99) * 1e3, 1),
    }
    report.judged |= harness.ratio_of(ratios).judged("turns_over_bare_c32")
    report.judged["cited_share"] = round(load.cited / load.turns, 4)
    await single(load.customers[0], bare, node_texts, report)


async def single(customer: Customer, bare: Bare, texts: Iterator[str], report: harness.Report) -> None:
    """A turn alone minus one bare call on the same text, call by call."""
    added, turns = [], []
    for _ in range(SINGLE_CALLS):
        text = next(texts)
        began = time.perf_counter()
        status, _ = await customer.ask(text)
        between = time.perf_counter()
        assert status == 200
        bare.embed([text])
        turns.append(between - began)
        added.append(turns[-1] - (time.perf_counter() - between))
    for percent in (50, 99):
        report.judged[f"added_p{percent}_ms"] = round(harness.percentile(added, percent) * 1e3, 2)
        report.results[f"turn_c1_p{percent}_ms"] = round(harness.percentile(turns, percent) * 1e3, 2)


def start_times(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds from `postern run` to ready, and to a clean stop, on the sample clinic."""
    site = folder / "clinic"
    init = [sys.executable, "-m", "edge.cli", "init", "--template", "clinic", "--site", str(site)]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    set_free_port(site)
    ready, stopped = [], []
    for _ in range(READY_STARTS):
        node = start_node(site)
        ready.append(node.ready_s)
        stopped.append(node.stop())
    return ready, stopped


def set_free_port(site: Path) -> None:
    """Let the system choose the ports; nothing of the bench is announced on a LAN."""
    settings = (site / "site.toml").read_text().replace("port = 8080", "port = 0")
    (site / "site.toml").write_text(
        settings + LIMITS + "\n[mqtt]\nport = 0\n\n[discovery]\nenabled = false\n"
    )


def bench(options: argparse.Namespace) -> harness.Report:
    """The whole bench."""
    report = harness.Report("chat")
    questions = unique_questions()
    folder = Path(tempfile.mkdtemp(prefix="postern-chat-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        harness.progress("starting the sample clinic")
        ready, stopped = start_times(folder)
        report.results |= {"ready_s_each": [round(s, 2) for s in ready], "stop_s": round(max(stopped), 2)}
        harness.progress("loading MedQuAD into a site")
        site = folder / "medquad"
        create_site(site_paths(site), "empty")
        set_free_port(site)
        report.config["documents"] = len(medquad.build_site(site).added)
        node = start_node(site)
        stack.callback(node.stop)
        report.results["ready_medquad_s"] = round(node.ready_s, 2)
        harness.progress(f"ready with MedQuAD after {node.ready_s:.1f} s; measuring")
        asyncio.run(compare(node, questions, options.seconds, report))
        report.judged["ready_s"] = round(statistics.median(ready), 2)
        report.judged["rss_mb"] = round(node.rss_mb(), 1)
        report.results["rss_by_process_mb"] = _rss_by_process(node)
    return report


def _rss_by_process(node: Node) -> dict[str, float]:
    found: dict[str, Any] = {}
    parent = psutil.Process(node.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        name = [*process.cmdline(), "", "", "", "?"][3]
        found[name] = round(process.memory_info().rss / 1e6, 1)
    return found


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("chat", seconds=60.0), bench))
