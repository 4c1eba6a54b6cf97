"""The real node under test: `postern run` on a copy of a prepared sample clinic, and a customer at its door.

The clinic is prepared once a test run (its documents are embedded by the real encoder); each test gets its own copy.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from tests import clocked_node, measured_node, patched_node
from tests.ports import free_port

# The contract's bound for a clean stop.
STOP_TIMEOUT_S = 10.0


def prepare_clinic(folder: Path) -> Path:
    """A site made by `postern init --template clinic`, on ports that the system chooses, announced to nobody."""
    site = folder / "clinic"
    command = [sys.executable, "-m", "edge.cli", "init", "--template", "clinic", "--site", str(site)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    settings = (site / "site.toml").read_text().replace("port = 8080", "port = 0")
    settings = settings.replace("bucket_s = 3600", "bucket_s = 10")
    (site / "site.toml").write_text(settings + "\n[mqtt]\nport = 0\n\n[discovery]\nenabled = false\n")
    return site


@dataclass(frozen=True)
class RunningNode:
    """`postern run` on a site."""

    site: Path
    process: subprocess.Popen[str]
    url: str

    def pid_of(self, name: str) -> int:
        """The process id of `node`, `worker` or `courier`. Raises LookupError while it is not running."""
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if name in child.cmdline():
                    return child.pid
        raise LookupError(name)

    def kill(self, name: str) -> int:
        """SIGKILL one of the processes; its process id."""
        pid = self.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> float:
        """A clean stop; seconds that it took. Raises TimeoutExpired past the contract's bound."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(STOP_TIMEOUT_S)
        return time.monotonic() - began


@contextmanager
def running(
    site: Path, *, measured: bool = False, clocked: bool = False, courier_network: str = ""
) -> Iterator[RunningNode]:
    """Start the node, wait until it serves, stop it at the end.

    `measured`: as if its detector missed so little that a site may sign a policy under which texts leave. `clocked`:
    its courier goes by a clock of the test's own. `courier_network`: the network namespace that the courier of either
    runs in, apart from the node.
    """
    command = [sys.executable, "-m", "edge.cli", "run", "--site", str(site)]
    if measured or clocked:
        module = measured_node.MODULE if measured else clocked_node.MODULE
        command = [sys.executable, "-m", module, "run", str(site)]
    with (site / "run.log").open("ab") as log:
        environment = os.environ | {patched_node.NETWORK: courier_network}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first, (site / "run.log").read_text()
        node = RunningNode(site, process, json.loads(first)["url"])
        yield node
        node.stop()
    finally:
        process.kill()
        process.wait()


def copy_site(site: Path, folder: Path) -> Path:
    """A copy of a prepared site that is not running."""
    return Path(shutil.copytree(site, folder / "site"))


def with_port(site: Path) -> str:
    """Let it serve at a port that stays, over restarts of the node, too; its address."""
    port, config = free_port(), site / "site.toml"
    text, count = re.subn(r"(?m)^port = 0$", f"port = {port}", config.read_text(), count=1)
    assert count == 1
    config.write_text(text)
    return f"http://127.0.0.1:{port}"


async def command(*words: str, expect: int = 0) -> Any:
    """Run `postern …`; its standard output as JSON when it is JSON, else as text."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "edge.cli",
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == expect, errors.decode()
    try:
        return json.loads(output)
    except ValueError:
        return output.decode() + errors.decode()


class Customer:
    """A person at the kiosk: a session with the notice accepted."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = aiohttp.ClientSession()
        self.session_id = ""
        self.token = ""

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[Customer]:
        """Arrive, accept the notice, leave at the end."""
        customer = cls(url)
        try:
            await customer.arrive()
            yield customer
        finally:
            await customer._http.close()

    async def arrive(self) -> None:
        """Begin a conversation and accept its notice."""
        status, made = await self.send("POST", "/api/v1/sessions", {"channel": "kiosk"})
        assert status == 201, made
        self.session_id, self.token = made["session_id"], made["token"]
        consent = {"notice_version": made["notice"]["version"], "overflow": False}
        status, reply = await self.send("POST", f"/api/v1/sessions/{self.session_id}/consent", consent)
        assert status == 204, reply

    async def ask(self, text: str) -> dict[str, Any]:
        """The answer to one question."""
        status, answer = await self.send("POST", self.turns, {"text": text})
        assert status == 200, answer
        return dict(answer)

    async def stream(self, text: str) -> list[tuple[str, Any]]:
        """All events of one question."""
        return [event async for event in self.events(text)]

    async def events(self, text: str) -> AsyncGenerator[tuple[str, Any], None]:
        """The events of one question, (name, data), as they come."""
        headers = {"Accept": "text/event-stream", **self.headers}
        async with self._http.post(self.url + self.turns, json={"text": text}, headers=headers) as response:
            assert response.status == 200, await response.text()
            async for name, data, _ in _read_events(response):
                yield name, data

    async def follow(self, last_event_id: str = "0") -> AsyncGenerator[tuple[str, Any, str], None]:
        """What happens to the conversation's tickets: (name, data, id), as it comes."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last_event_id, **self.headers}
        url = f"{self.url}/api/v1/sessions/{self.session_id}/events"
        async with self._http.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            async for event in _read_events(response):
                yield event

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Any request as this customer: status and body."""
        async with self._http.request(method, self.url + path, json=body, headers=self.headers) as response:
            raw = await response.read()
            return response.status, json.loads(raw) if raw else None

    def raw(self, method: str, path: str, headers: dict[str, str]) -> Any:
        """Any request as this customer, with headers of the test's own; a context manager of the response."""
        return self._http.request(method, self.url + path, headers={**self.headers, **headers})

    @property
    def turns(self) -> str:
        return f"/api/v1/sessions/{self.session_id}/turns"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


async def _read_events(response: aiohttp.ClientResponse) -> AsyncGenerator[tuple[str, Any, str], None]:
    name = number = ""
    async for raw in response.content:
        field, _, value = raw.decode().rstrip("\n").partition(": ")
        if field == "event":
            name = value
        elif field == "id":
            number = value
        elif field == "data":
            yield name, json.loads(value), number


def names(events: Sequence[tuple[str, Any]]) -> list[str]:
    """The events' names, in order."""
    return [name for name, _ in events]
