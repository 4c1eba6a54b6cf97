"""The real processes of a spike: a node, a control plane, and a provider of words for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge.chat import grounding
from edge.config import site_paths
from edge.privacy import policy_files
from edge.site_setup import policy_pack
from tests.bench.harness import BenchRefused
from tests.bench.spike_texts import TEMPLATE
from tests.running import Customer, RunningNode, command, running

# One machine plays all customers: what stops one of them, or one address, is lifted.
LIMITS = """
[limits]
turns_per_minute = 100000
node_turns_per_minute = 1000000
address_sessions_per_minute = 100000
node_sessions_per_minute = 1000000
address_sessions_max = 50000
sessions_max = 50000
"""
# A question that the sample site's documents answer.
QUESTION = "When is the pharmacy open?"
# Loading the model takes seconds; on a loaded machine more.
WRITING_WAIT_S = 90.0
PATIENT = "\nfirst_token_deadline_s = 60"
# As a site signs it that lets English texts overflow at any hour. With what the shipped detector misses none would:
# nodes go by invented figures (tests/measured_node.py).
POLICY_CHANGES = (
    (r'^risk = "\w+"', 'risk = "high"'),
    (r'^personal = "refuse"', 'personal = "redact"'),
    (r"^hours = \[.*\]", 'hours = ["daily 00:00-24:00"]'),
    (r"^(bytes_per_\w+) = [\d_]+", r"\1 = 1_000_000_000"),
)

# What a bench says of it in its document.
INVENTED = {"detector_miss_rates": "invented: with the shipped detector's no text leaves"}


def make_site(folder: Path) -> Path:
    """A sample site with its documents read, on ports that the system chooses, that lets texts overflow."""
    site = folder / "prepared"
    _run("edge.cli", "init", "--template", TEMPLATE, "--site", str(site))
    settings = (site / "site.toml").read_text().replace("port = 8080", "port = 0")
    (site / "site.toml").write_text(
        settings + LIMITS + "\n[mqtt]\nport = 0\n\n[discovery]\nenabled = false\n"
    )
    permit_overflow(site)
    return site


def permit_overflow(site: Path) -> None:
    """Sign a policy under which English texts overflow at any hour."""
    text = policy_pack(TEMPLATE, datetime.now(UTC))
    for pattern, replacement in POLICY_CHANGES:
        text = re.sub(f"(?m){pattern}", replacement, text)
    policy_files.save(site_paths(site), text, datetime.now(UTC))


@contextmanager
def node(
    prepared: Path, name: str, mode: str, enrolled: Cloud | None = None, *, patient: bool = False
) -> Iterator[RunningNode]:
    """`postern run` on a copy of the site, answering in `mode`, enrolled where there is a control plane, with invented
    figures of its detector.

    `patient`: it waits for its own model's words, however long they take.
    """
    site = Path(shutil.copytree(prepared, prepared.parent / name))
    answer_in(site, mode, PATIENT if patient else "")
    if enrolled:
        enrolled.enrol(site)
    with running(site, measured=True) as started:
        yield started


def answer_in(site: Path, mode: str, more: str = "") -> None:
    """Its answers' mode, and more lines of that section."""
    settings = (site / "site.toml").read_text()
    (site / "site.toml").write_text(settings.replace('mode = "extractive"', f'mode = "{mode}"{more}'))


@dataclass
class Cloud:
    """`postern-cloud run`."""

    folder: Path
    process: subprocess.Popen[str]
    ready: dict[str, Any]

    def enrol(self, site: Path) -> None:
        """Give the site its identity."""
        made = _run(
            "cloud_sync.cli", "enroll-code", "new", "--dir", str(self.folder), "--site", site.name, "--json"
        )
        code = json.loads(made)["code"]
        _run("edge.cli", "enroll", "--site", str(site), "--cloud", self.ready["enrolment"], "--code", code)

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait()

    @contextmanager
    def down(self) -> Iterator[None]:
        """Killed, and started again at the end: on the same ports, where it has ports of its own."""
        self.kill()
        try:
            yield
        finally:
            self.process = _start_cloud(self.folder)
            self.ready = _first_line(self.process, self.folder / "run.log")


@contextmanager
def cloud(
    folder: Path, providers: str, ports: Sequence[int] = (0, 0, 0), overflow: str = ""
) -> Iterator[Cloud]:
    """A control plane that writes answers. `overflow`: more lines of that section; a port of 0 is any free one."""
    _run("cloud_sync.cli", "init", "--dir", str(folder), "--organisation", "Spike")
    toml = folder / "cloud.toml"
    chosen = iter(ports)
    text = re.sub(r"(?m)^port = \d+", lambda _: f"port = {next(chosen)}", toml.read_text())
    toml.write_text(text.replace("enabled = false", f"enabled = true\n{overflow}") + providers)
    process = _start_cloud(folder)
    running_cloud = Cloud(folder, process, _first_line(process, folder / "run.log"))
    try:
        yield running_cloud
    finally:
        running_cloud.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            running_cloud.process.wait(10)
        running_cloud.process.kill()


def _start_cloud(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cloud_sync.cli", "run", "--dir", str(folder)]
    with (folder / "run.log").open("ab") as log:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)


def overflow_settings(url: str) -> str:
    """What cloud.toml says of the provider."""
    return f"""
[[overflow.providers]]
name = "grounded"
kind = "openai"
model = "grounded"
url = "{url}/v1"
"""


@dataclass
class Provider:
    """`tests.bench.grounded_provider`."""

    url: str

    def heard(self) -> list[str]:
        """Every text that it was asked with."""
        with urllib.request.urlopen(f"{self.url}/heard") as response:
            return [str(text) for text in json.load(response)]

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """It misbehaves meanwhile: `500`, `slow`, `cut`."""
        self._be(kind)
        try:
            yield
        finally:
            self._be("")

    def _be(self, kind: str) -> None:
        urllib.request.urlopen(f"{self.url}/fault", kind.encode()).close()


@contextmanager
def provider(*options: str) -> Iterator[Provider]:
    """The provider in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.grounded_provider", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Provider(_first_line(process, None)["url"])
    finally:
        process.kill()
        process.wait()


def written(node: RunningNode) -> int:
    """Answers that a model wrote to their end since the node began, shown or not."""
    counted = asyncio.run(command("status", "--site", str(node.site), "--json"))["generated"]
    return sum(counted.get(outcome, 0) for outcome in grounding.Outcome)


def wait_until_writing(node: RunningNode) -> None:
    """Until the node's own model has written something: before that the worker still loads it."""
    until = time.monotonic() + WRITING_WAIT_S
    while not written(node):
        asyncio.run(_ask(node))
        if time.monotonic() > until:
            raise BenchRefused(f"The node's own model wrote nothing within {WRITING_WAIT_S:.0f} s.")


async def _ask(node: RunningNode) -> None:
    async with Customer.at(node.url) as customer:
        await customer.ask(QUESTION)


def _first_line(process: subprocess.Popen[str], log: Path | None) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise BenchRefused(f"A process did not start; see {log or 'above'}.")
    found: dict[str, Any] = json.loads(line)
    return found


def _run(module: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, *words], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise BenchRefused(f"{module} {words[0]} ended with status {done.returncode}.")
    return done.stdout
