"""A model's file changes under load: what fails meanwhile, and how long answers take during a change and apart from it.

The node is `postern run` on the sample clinic. Programs ask `/v1/embeddings` and customers ask questions, all in a
closed loop with texts of their own, while `postern models use` lets one of two versions of the same weights take over
from the other again and again: first the encoder, then the language model that writes the answers. An answer counts as
failed if its status is not 200 or its vector is not one; vectors of before are held against those of after.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge.models_use import use_model
from models.catalog import DEFAULT_ENCODER, DEFAULT_LLM, models_dir
from models.versions import activate, model_folder
from tests.bench import harness
from tests.bench.bare import NeverEnding
from tests.bench.chat import Connection, Customer, Node, set_free_port, start_node
from tests.bench.encoder_load import mixed_texts

PROGRAMS, CUSTOMERS = 8, 4
# While a model writes the answers, two customers keep it busy; more would only be given quotes.
READERS = 2
PAUSE_S = 2.0
"""Between changes: most requests are to be apart from one."""
WARM_S = 2.0
WRITES_WITHIN_S = 120.0
WRITES_LOOK_S = 1.0
KEPT = 50
"""One vector of so many is asked for again at the end."""
COSINE_MIN = 0.95
"""Int8 scales what it reads by the pass: a text's vector depends a little on its neighbours (.987 seen). Other weights'
vectors are near 0."""
QUESTIONS = [
    "When are you open on Saturday?",
    "What does parking cost?",
    "Do I have to fast before a blood test?",
    "Where is the pharmacy?",
    "How do I get a copy of my medical records?",
    "May I bring my dog?",
]
PATIENT = 'mode = "generative"\nfirst_token_deadline_s = 60\ngenerate_deadline_s = 120'
"""However slow the machine is, the model writes: else quotes would be given, and its change would meet nobody."""
API_KEY = ("--scope", "embeddings", "--requests-per-minute", "1000000", "--tokens-per-minute", "100000000")


@dataclass
class Asked:
    """Every request of one kind: when it began and ended (seconds of `perf_counter`), and what failed."""

    spans: list[tuple[float, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def figures(self, changes: list[tuple[float, float]]) -> dict[str, float]:
        """Times of those that a change overlaps, and of the others."""
        during, apart = list[float](), list[float]()
        for began, ended in self.spans:
            meets = any(began < end and ended > begin for begin, end in changes)
            (during if meets else apart).append(1e3 * (ended - began))
        found: dict[str, float] = {"requests": len(self.spans), "failed": len(self.failures)}
        for name, times in (("during", during), ("apart", apart)):
            if times:
                found |= {f"{name}_p{p}_ms": round(harness.percentile(times, p), 1) for p in (50, 99)}
        return found


class Load:
    """Programs and customers of one node, each asking again as soon as it is answered."""

    def __init__(self, node: Node, key: str) -> None:
        self.embeddings, self.turns = Asked(), Asked()
        self.cosines: list[float] = []
        self.written = 0
        self._node, self._key = node, key
        self._texts = NeverEnding(mixed_texts(), "swap")
        self._questions = NeverEnding(QUESTIONS, "Please tell me")
        self._kept: list[tuple[str, list[float]]] = []
        self._done = asyncio.Event()

    async def run(self, programs: int, customers: int, meanwhile: Callable[[], Awaitable[None]]) -> None:
        """Ask for as long as `meanwhile` takes."""
        callers = [await self._connect() for _ in range(programs)]
        visitors = [await Customer.arrive(self._node) for _ in range(customers)]
        async with asyncio.TaskGroup() as group:
            for connection in callers:
                group.create_task(self._keep(self.embeddings, lambda c=connection: self._embed(c)))  # type: ignore[misc]
            for visitor in visitors:
                group.create_task(self._keep(self.turns, lambda v=visitor: self._turn(v)))  # type: ignore[misc]
            await meanwhile()
            self._done.set()
        if callers:
            await self._compare(callers[0])

    async def until_written(self) -> None:
        """Ask until the language model, which is loaded last, writes an answer. Raises BenchRefused."""
        visitor = await Customer.arrive(self._node)
        until = time.monotonic() + WRITES_WITHIN_S
        while not self.written:
            if time.monotonic() > until:
                raise harness.BenchRefused(
                    "The language model writes no answers; see `postern models verify`."
                )
            await self._turn(visitor)
            await asyncio.sleep(WRITES_LOOK_S)
        self.written = 0

    async def _keep(self, asked: Asked, ask: Callable[[], Awaitable[str]]) -> None:
        while not self._done.is_set():
            began = time.perf_counter()
            try:
                failure = await ask()
            except OSError as error:
                asked.failures.append(type(error).__name__)
                return
            asked.spans.append((began, time.perf_counter()))
            if failure:
                asked.failures.append(failure)

    async def _embed(self, connection: Connection) -> str:
        text = next(self._texts)
        status, vector = await self._vector(connection, text)
        if status != 200:
            return str(status)
        if not len(self.embeddings.spans) % KEPT:
            self._kept.append((text, vector))
        return "" if math.isclose(math.hypot(*vector), 1.0, abs_tol=1e-3) else "no vector"

    async def _turn(self, visitor: Customer) -> str:
        status, body = await visitor.ask(next(self._questions))
        answer = json.loads(body)
        self.written += answer.get("route") == "generate"
        return "" if status == 200 and answer["answer"] else str(status)

    async def _vector(self, connection: Connection, text: str) -> tuple[int, list[float]]:
        body = {"model": DEFAULT_ENCODER, "input": text}
        status, answer = await connection.request("POST", "/v1/embeddings", self._key, body)
        return status, json.loads(answer)["data"][0]["embedding"] if status == 200 else []

    async def _compare(self, connection: Connection) -> None:
        """The kept texts once more: the vectors must not have moved."""
        for text, before in self._kept:
            status, after = await self._vector(connection, text)
            self.cosines.append(float(np.dot(before, after)) if status == 200 else 0.0)

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._node.host, self._node.port)
        return connection


class Changes:
    """Lets two versions of a model take over from one another."""

    def __init__(self, site: Path, model: str, seconds: float) -> None:
        self.spans: list[tuple[float, float]] = []
        self._site, self._model, self._seconds = site, model, seconds

    async def run(self) -> None:
        """Changes, with pauses, for so long."""
        began = time.perf_counter()
        await asyncio.sleep(WARM_S)
        while time.perf_counter() - began < self._seconds:
            span = await asyncio.to_thread(self._change)
            self.spans.append(span)
            harness.progress(f"{self._model}: change {len(self.spans)} took {span[1] - span[0]:.2f} s")
            await asyncio.sleep(PAUSE_S)

    def _change(self) -> tuple[float, float]:
        """One change by the command's own function; when it began and ended."""
        serving = model_folder(models_dir(), self._model)
        (other,) = [path for path in serving.parent.iterdir() if path.is_dir() and path != serving]
        activate(other)
        began = time.perf_counter()
        told = use_model(self._site, self._model)
        if told["serves"] != "now":
            raise harness.BenchRefused(f"{self._model} did not take over: {told}")
        return began, time.perf_counter()


def two_versions(folder: Path) -> None:
    """A models folder of the bench's own with each model twice, and the two versions' weights the same."""
    built = models_dir()
    for name in (DEFAULT_ENCODER, DEFAULT_LLM):
        source = model_folder(built, name)
        for version in ("one", "two"):
            shutil.copytree(source, folder / name / version)
            activate(folder / name / version)
    os.environ["POSTERN_MODELS"] = str(folder)


def prepare(folder: Path) -> None:
    """The sample clinic with its documents read in, so that there is something to answer."""
    site = folder / "clinic"
    command = [sys.executable, "-m", "edge.cli", "init", "--template", "clinic", "--site", str(site)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    set_free_port(site)


@contextlib.contextmanager
def serving(folder: Path, *, generative: bool) -> Iterator[tuple[Path, Node, str]]:
    """A node of the sample clinic with a key for programs: its site, itself, the key."""
    site = folder / ("generative" if generative else "extractive")
    shutil.copytree(folder / "clinic", site)
    if generative:
        config = site / "site.toml"
        config.write_text(config.read_text().replace('mode = "extractive"', PATIENT))
    node = start_node(site)
    try:
        command = [
            sys.executable,
            "-m",
            "edge.cli",
            "api-keys",
            "new",
            "bench",
            "--site",
            str(site),
            "--json",
        ]
        made = subprocess.run([*command, *API_KEY], check=True, stdout=subprocess.PIPE, text=True)
        yield site, node, json.loads(made.stdout)["key"]
    finally:
        node.stop()


def measure(
    folder: Path, model: str, callers: tuple[int, int], seconds: float, report: harness.Report
) -> None:
    """One model's changes into `results[model]`; what failed and the changes are added to `judged`."""
    with serving(folder, generative=model == DEFAULT_LLM) as (site, node, key):
        load, changes = Load(node, key), Changes(site, model, seconds)
        harness.progress(f"{model}: {callers[0]} programs and {callers[1]} customers ask while it changes")

        async def under_load() -> None:
            if model == DEFAULT_LLM:
                await load.until_written()
            await load.run(*callers, changes.run)

        asyncio.run(under_load())
    took = [end - begin for begin, end in changes.spans]
    found: dict[str, object] = {
        "changes": len(took),
        "change_s_median": round(harness.percentile(took, 50), 2),
        "turns": load.turns.figures(changes.spans),
        "failures": sorted({*load.embeddings.failures, *load.turns.failures}),
    }
    if model == DEFAULT_LLM:
        found["turns_written_by_it"] = load.written
    if load.cosines:
        found |= {
            "embeddings": load.embeddings.figures(changes.spans),
            "cosine_min": round(min(load.cosines), 4),
        }
    report.results[model] = found
    moved = sum(cosine < COSINE_MIN for cosine in load.cosines)
    failed = len(load.embeddings.failures) + len(load.turns.failures) + moved
    report.judged["swaps"] = report.judged.get("swaps", 0) + len(took)
    report.judged["failed_requests"] = report.judged.get("failed_requests", 0) + failed


def bench(options: argparse.Namespace) -> harness.Report:
    """The whole bench: half of the time for each model."""
    report = harness.Report("hot_swap", {"pause_s": PAUSE_S, "programs": PROGRAMS, "customers": CUSTOMERS})
    report.config["customers_while_a_model_writes"] = READERS
    with tempfile.TemporaryDirectory(prefix="postern-swap-") as folder:
        two_versions(Path(folder) / "models")
        harness.progress("preparing the sample clinic")
        prepare(Path(folder))
        for model, callers in ((DEFAULT_ENCODER, (PROGRAMS, CUSTOMERS)), (DEFAULT_LLM, (0, READERS))):
            measure(Path(folder), model, callers, options.seconds / 2, report)
    return report


if __name__ == "__main__":
    sys.exit(harness.run(harness.arguments("hot_swap", seconds=120.0), bench))
