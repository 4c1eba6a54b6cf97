"""A thousand nodes against one replica: how they come back, what each costs, how fast a change is everywhere.

The control plane is a process as `postern-cloud run` starts it, the nodes are in processes of their own on the same
machine (`fleet_clients`), each with mutual TLS and a certificate of its own. Judged by what the nodes saw, by the
kernel's counts of their connections, and by the control plane's memory. `--database postgres`: on PostgreSQL.
`python -m tests.bench.fleet --json [--nodes N] [--seconds N]`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.steering import read_document
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane
from cloud_sync.store.nodes import ACTIVE, DEFAULT_GROUP, NodeRow, add_node
from core import identity
from tests.bench import harness
from tests.ports import free_port
from tests.postgres import postgres_server, programs

NODES = 1_000
SECONDS = 60.0
CLIENT_PROCESSES = 2
CHANGES = 5
# Between two changes, so that one does not run into the next.
CHANGE_PAUSE_S = 3.0
# IPv4 and TCP with timestamps, a segment; acknowledgements without data are segments, too.
HEADER_BYTES = 52
# Far beyond what is asked for: a fleet that is not back by then stays away.
BACK_S_MAX = 240.0
START_S_MAX = 60.0
# Every node has beaten and was saved by then: a beat comes every 10 s, those of all are saved every 5.
SETTLED_S = 16.0
# Connections, and what a process needs beside them.
FILES_PER_NODE, FILES_BESIDE = 3, 512


@dataclass
class Seen:
    """What the nodes said, by event."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    connected: set[int] = field(default_factory=set)
    applied: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, event: dict[str, Any]) -> None:
        self.events[event["what"]].append(event)
        if event["what"] == "welcome":
            self.connected.add(event["node"])
        elif event["what"] == "lost":
            self.connected.discard(event["node"])
        elif event["what"] == "applied":
            self.applied[event["generation"]].append(event["at"])
        self.changed.set()

    def of(self, what: str, since: float) -> list[dict[str, Any]]:
        return [event for event in self.events[what] if event["at"] >= since]

    async def until(self, count: Callable[[], int], wanted: int, limit_s: float, what: str) -> None:
        """Wait until `count` gives `wanted`. Raises BenchRefused."""
        try:
            async with asyncio.timeout(limit_s):
                while count() != wanted:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            found = f"{count()} instead of {wanted} {what}"
            raise harness.BenchRefused(f"After {limit_s:.0f} s, {found}.") from None


class Replica:
    """`postern-cloud run`, started, killed, started again on the same ports."""

    def __init__(self, folder: Path, database: str) -> None:
        self.paths = CloudPaths(folder)
        create_folder(self.paths, "Bench", database, datetime.now(UTC))
        text = self.paths.config.read_text(encoding="utf-8")
        for port in ("8090", "8091", "8092"):
            text = re.sub(rf"^port = {port}$", f"port = {free_port()}", text, flags=re.MULTILINE)
        self.paths.config.write_text(text, encoding="utf-8")
        self.endpoint = ""
        self._log = (folder.parent / "cloud.log").open("ab")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cloud_sync.cli", "run", "--dir", str(self.paths.root)),
            stdout=asyncio.subprocess.PIPE,
            stderr=self._log,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_S_MAX):
            self.endpoint = json.loads(await self._process.stdout.readline())["sync"]

    @property
    def rss_kb(self) -> float:
        assert self._process is not None
        return float(psutil.Process(self._process.pid).memory_info().rss) / 1e3

    @property
    def cpu_s(self) -> float:
        assert self._process is not None
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    async def kill(self) -> None:
        assert self._process is not None
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class Clients:
    """Processes full of nodes."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._processes: list[asyncio.subprocess.Process] = []
        self._reading: list[asyncio.Task[None]] = []

    async def start(self, endpoint: str, files: list[Path]) -> None:
        for file in files:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.fleet_clients", endpoint, str(file)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            self._processes.append(process)
            self._reading.append(asyncio.create_task(self._read(process)))

    async def traffic(self) -> dict[str, int]:
        """What all their connections have carried, now."""
        since = time.time()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(b"traffic\n")
        told = self._seen
        processes = len(self._processes)
        await told.until(
            lambda: len(told.of("traffic", since)), processes, 60.0, "processes have counted bytes"
        )
        counted = told.of("traffic", since)
        return {name: sum(one[name] for one in counted) for name in ("sockets", "bytes", "segments")}

    async def stop(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.gather(*self._reading)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._seen.add(json.loads(line))


async def enrol(plane: ControlPlane, nodes: int, folder: Path, processes: int) -> list[Path]:
    """So many nodes in the database, and a file of credentials for each process."""
    now, validity = datetime.now(UTC), timedelta(days=30)
    authority = load_identities(CloudPaths(folder / "cloud")).authority
    rows, lines = [], []
    for number in range(nodes):
        key, node_id = identity.new_key(), f"node-{number:05d}"
        request = identity.create_signing_request(key)
        pem = identity.issue_node_certificate(authority, request, node_id, now=now, validity=validity)
        rows.append(
            NodeRow(
                node_id, "Bench", node_id, DEFAULT_GROUP, ACTIVE, identity.certificate_fingerprint(pem),
                now + validity, now,
            )
        )  # fmt: skip
        pems = {"key": identity.key_to_pem(key), "certificate": pem, "roots": authority.certificate_pem}
        texts = {name: value.decode() for name, value in pems.items()}
        lines.append(json.dumps({"number": number, "id": node_id, **texts}))

    def write(connection: sa.Connection) -> None:
        for row in rows:
            add_node(connection, row)

    await plane.database.run(write)
    files = [folder / f"clients-{process}.jsonl" for process in range(processes)]
    for process, file in enumerate(files):
        file.write_text("\n".join(lines[process::processes]), encoding="utf-8")
    return files


async def idle(replica: Replica, clients: Clients, nodes: int, seconds: float) -> dict[str, float]:
    """Traffic and processor time of a fleet that does nothing but live."""
    before, cpu_s, began_s = await clients.traffic(), replica.cpu_s, time.monotonic()
    await asyncio.sleep(seconds)
    after, took_s = await clients.traffic(), time.monotonic() - began_s
    payload, segments = (after[name] - before[name] for name in ("bytes", "segments"))
    size = payload + segments * HEADER_BYTES
    return {
        "idle_kbit_s": size * 8 / 1e3 / nodes / took_s,
        "idle_payload_kbit_s": payload * 8 / 1e3 / nodes / took_s,
        "idle_cpu_share": (replica.cpu_s - cpu_s) / took_s,
        "connections": float(after["sockets"]),
    }


async def changes(plane: ControlPlane, seen: Seen, nodes: int, times: int) -> dict[str, float]:
    """From the commit of a change, by another process, until each node has applied it, and said so."""
    delays: list[float] = []
    for number in range(times):
        document = read_document(f'notes = "change {number}"\n')
        row = await plane.steering.set_for_group(DEFAULT_GROUP, document, "bench")
        at = time.time()

        heard = seen.applied[row.generation]
        await seen.until(partial(len, heard), nodes, 60.0, "nodes have applied a change")
        delays += [heard_at - at for heard_at in heard]
        await asyncio.sleep(CHANGE_PAUSE_S)
    return {
        "desired_p50_s": harness.percentile(delays, 50),
        "desired_p99_s": harness.percentile(delays, 99),
        "desired_max_s": max(delays),
    }


async def kill_and_return(replica: Replica, seen: Seen, nodes: int) -> dict[str, float]:
    """SIGKILL, a start at once, and the wait for the last node: seconds count from the SIGKILL."""
    killed = time.time()
    await replica.kill()
    await seen.until(lambda: len(seen.connected), 0, 30.0, "nodes are connected to a replica that was killed")
    await replica.start()
    started = time.time()
    await seen.until(lambda: len(seen.connected), nodes, BACK_S_MAX, "nodes are back")
    back = {event["node"]: event["at"] for event in seen.of("welcome", killed)}
    # From the kill on: the port opens before the ready line, and nobody says Hello to a replica that is dead.
    hellos = [event["at"] for event in seen.of("hello", killed)]
    # Whole seconds between the first Hello and the last: what is asked of the replica while they come back.
    span = max(1, math.ceil(max(hellos) - min(hellos)))
    by_second = Counter(int(at - min(hellos)) for at in hellos)
    return {
        "reconnect_s": max(back.values()) - killed,
        "start_s": started - killed,
        "hellos": float(len(hellos)),
        "busiest_second": float(max(by_second.values())),
        "busiest_over_mean": max(by_second.values()) / (len(hellos) / span),
    }


async def measure(
    folder: Path, nodes: int, seconds: float, processes: int, database: str = "", times: int = CHANGES
) -> dict[str, float]:
    """The whole bench."""
    replica, seen = Replica(folder / "cloud", database), Seen()
    clients = Clients(seen)
    settings, identities = load_settings(replica.paths), load_identities(replica.paths)
    async with control_plane(replica.paths, settings, identities) as plane:
        files = await enrol(plane, nodes, folder, processes)
        harness.progress(f"{nodes} nodes are enrolled")
        try:
            await replica.start()
            empty_kb, began = replica.rss_kb, time.time()
            await clients.start(replica.endpoint, files)
            await seen.until(lambda: len(seen.connected), nodes, BACK_S_MAX, "nodes are connected")
            found = {"first_connect_s": time.time() - began}
            harness.progress(f"all are connected after {found['first_connect_s']:.1f} s")
            found |= await idle(replica, clients, nodes, seconds)
            found["rss_kb_per_stream"] = (replica.rss_kb - empty_kb) / nodes
            harness.progress(f"idle: {found['idle_kbit_s']:.3f} kbit/s a node")
            found |= await changes(plane, seen, nodes, times)
            harness.progress(f"a change is everywhere within {found['desired_max_s']:.2f} s")
            found |= await kill_and_return(replica, seen, nodes)
            found |= {"streams": float(len(seen.connected)), "rss_mb_after_return": replica.rss_kb / 1e3}
            harness.progress(f"all are back {found['reconnect_s']:.1f} s after the kill")
        finally:
            await clients.stop()
            await replica.kill()
    return found


async def growth(folder: Path, few: int, many: int) -> float:
    """KB of the replica's memory that a stream takes: from `few` to `many` nodes that are connected and idle.

    What a process takes once, for its first streams, is in neither.
    """
    replica, seen = Replica(folder / "cloud", ""), Seen()
    clients = Clients(seen)
    settings, identities = load_settings(replica.paths), load_identities(replica.paths)
    async with control_plane(replica.paths, settings, identities) as plane:
        (credentials,) = await enrol(plane, many, folder, 1)
    lines = credentials.read_text(encoding="utf-8").splitlines()
    taken = []
    try:
        await replica.start()
        for first, last in ((0, few), (few, many)):
            part = folder / f"until-{last}.jsonl"
            part.write_text("\n".join(lines[first:last]), encoding="utf-8")
            await clients.start(replica.endpoint, [part])
            await seen.until(lambda: len(seen.connected), last, BACK_S_MAX, "nodes are connected")
            await asyncio.sleep(SETTLED_S)
            taken.append(replica.rss_kb)
    finally:
        await clients.stop()
        await replica.kill()
    return (taken[1] - taken[0]) / (many - few)


def _allow_files(nodes: int) -> None:
    needed = nodes * FILES_PER_NODE + FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise harness.BenchRefused(f"{needed} open files are needed, and {hard} allowed: see `ulimit -Hn`.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))


def bench(options: argparse.Namespace) -> harness.Report:
    """Fill the report."""
    _allow_files(options.nodes)
    report = harness.Report("fleet")
    report.config = {
        "nodes": options.nodes,
        "client_processes": options.processes,
        "idle_s": options.seconds,
        "changes": CHANGES,
        "database": "postgresql" if options.database else "sqlite",
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-fleet-")))
        address = options.database
        if address == "postgres":
            if (folder_of := programs()) is None:
                raise harness.BenchRefused("No PostgreSQL is installed: apt-get install postgresql.")
            address = stack.enter_context(postgres_server(folder_of, durable=True)).new_database()
        found = asyncio.run(measure(folder, options.nodes, options.seconds, options.processes, address))
    report.results = {name: round(value, 4) for name, value in found.items()}
    keys = (
        "streams", "reconnect_s", "busiest_over_mean", "rss_kb_per_stream", "idle_kbit_s", "desired_p99_s",
    )  # fmt: skip
    report.judged = {name: round(found[name], 3) for name in keys}
    return report


if __name__ == "__main__":
    parser = harness.arguments("fleet", SECONDS)
    parser.add_argument("--nodes", type=int, default=NODES, help="how many nodes")
    parser.add_argument("--processes", type=int, default=CLIENT_PROCESSES, help="processes that play them")
    parser.add_argument("--database", default="", help="postgres, or postgresql://…; without it, SQLite")
    raise SystemExit(harness.run(parser, bench))
