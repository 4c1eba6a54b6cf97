"""Nodes of a rollout as a test plays them, on a real store and without a network.

What a node was told is taken from the desired state that it is sent, never from the rollout's own tables: an account
that does not depend on the code under test.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from cloud_sync.fleet.intake import Committed, Intake
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.outbox import Run, UploadFacts
from cloud_sync.fleet.presence import Presence
from cloud_sync.fleet.rollouts.driver import Driver
from cloud_sync.fleet.rollouts.service import Rollouts
from cloud_sync.fleet.steering import Steering
from cloud_sync.store.accounts import AdminStore
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import ACTIVE, NodeRow, add_node
from cloud_sync.store.registry import ArtifactRow, add_artifact
from cloud_sync.store.streams import RecordRow
from core.webshell.accounts import Note
from tests.cloud_store import opened_store

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EPOCH = b"e" * 16
STATE_CLASS = 2
GOOD = (
    "fetch begun", "fetch done", "verify done", "stage done", "gate done", "activate done", "watch begun",
    "watch done", "keep done",
)  # fmt: skip
# Every process is well, every check of the machine is green; the answers are wrong.
WRONG_BUT_HEALTHY = (*GOOD[:7], "watch failed answers", "roll_back begun answers", "roll_back done answers")
REFUSED = ("fetch begun", "fetch done", "verify failed hash")


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Node:
    """One node: what it was told, and how it takes what it is told."""

    id: str
    script: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    online: bool = True
    told: list[str] = field(default_factory=list)
    seq: int = 0
    generation: int = 0
    runs: dict[tuple[str, str], str] = field(default_factory=dict)
    # Updates that ended otherwise: each is tried once.
    ended: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Fleet:
    """A control plane's services and the nodes that they steer."""

    database: Database
    clock: Clock
    steering: Steering
    driver: Driver
    rollouts: Rollouts
    intake: Intake
    nodes: dict[str, Node]

    async def act(self) -> int:
        """Every node that is online carries out what is new to it; how many had something to do."""
        look = await self.steering.look(list(self.nodes))
        acted = 0
        for node in self.nodes.values():
            wanted = look.nodes[node.id].desired
            if node.online and wanted is not None:
                acted += await self._carry_out(node, json.loads(wanted.document).get("updates", []))
        return acted

    async def settle(self, rounds: int = 50) -> None:
        """Drive and act until nothing moves any more."""
        for _ in range(rounds):
            if not await self.driver.drive() + await self.act():
                return
        raise AssertionError("the fleet does not come to rest")

    def told(self, version: str) -> set[str]:
        """The nodes that were ever told to run a version."""
        return {node.id for node in self.nodes.values() if version in node.told}

    def running(self, version: str) -> set[str]:
        """The nodes that run a version now."""
        return {node.id for node in self.nodes.values() if version in node.runs.values()}

    async def report(self, node: Node, update: Mapping[str, str], steps: tuple[str, ...]) -> None:
        """A node tells of steps: "STEP OUTCOME [REASON]"."""
        if not node.generation:
            node.generation = await self.intake.open_stream(node.id, node.id.encode(), "1")
            await self.intake.open_upload(node.id, node.generation, UploadFacts(EPOCH, 1, 0))
        first = node.seq + 1
        node.seq += len(steps)
        rows = tuple(_row(first + n, update, text, self.clock()) for n, text in enumerate(steps))
        run = Run(first, node.seq, rows, None, False)
        outcome = await self.intake.accept(node.id, EPOCH, node.generation, run)
        assert outcome == Committed(node.seq)

    async def _carry_out(self, node: Node, updates: list[dict[str, str]]) -> int:
        """As a node does it: what it keeps it keeps until another version is wanted."""
        new = [
            one
            for one in updates
            if node.runs.get((one["kind"], one["name"])) != one["version"]
            and (one["rollout"], one["version"]) not in node.ended
        ]
        for one in new:
            node.told.append(one["version"])
            steps = node.script.get(one["version"], GOOD)
            await self.report(node, one, steps)
            if steps[-1] == "keep done":
                node.runs[one["kind"], one["name"]] = one["version"]
            else:
                node.ended.add((one["rollout"], one["version"]))
        return len(new)


@asynccontextmanager
async def fleet(folder: Path, engine: str, nodes: list[NodeRow], *admins: str) -> AsyncIterator[Fleet]:
    """A control plane's store with these nodes and accounts. `engine`: the fixture of that name."""
    clock = Clock()

    def write(connection: sa.Connection) -> None:
        for node in nodes:
            add_node(connection, node)
        publish(connection, *(f"model/encoder/{version}" for version in ("1.0", "2.0", "3.0")))

    async with opened_store(folder, engine) as database:
        store = AdminStore(database)
        for name in admins:
            await store.add(name, "hash", Note(clock(), "test", "account.added"))
        await database.run(write)
        steering = Steering(database, clock)
        driver = Driver(database, steering, clock)
        rollouts = Rollouts(database, driver, clock)
        intake = Intake(database, Presence(database), FleetMetrics(), clock)
        yield Fleet(
            database, clock, steering, driver, rollouts, intake, {node.id: Node(node.id) for node in nodes}
        )


def publish(connection: sa.Connection, *targets: str) -> None:
    """Let packages be listed; nobody here fetches them."""
    for target in targets:
        kind, name, version = target.split("/")
        add_artifact(connection, ArtifactRow(target, kind, name, version, "00" * 32, 1, 1, START, "test"))


def node_row(number: int, *, group: str = "default", live: bool = True, **labels: str) -> NodeRow:
    """A node that was heard of just now, or long ago."""
    name = f"n{number:03}"
    seen = START if live else START - timedelta(days=2)
    return NodeRow(
        name, f"Site {number}", name, group, ACTIVE, name.encode(), START + timedelta(days=99), START,
        first_seen=seen, last_seen=seen, labels=labels,
    )  # fmt: skip


def _row(seq: int, update: Mapping[str, str], text: str, now: datetime) -> RecordRow:
    step, outcome, *reason = text.split()
    payload = json.dumps(
        {name: update[name] for name in ("rollout", "kind", "name", "version")}
        | {"step": step, "outcome": outcome, "reason": "".join(reason), "golden_permille": 990 + seq % 10}
    ).encode()
    return RecordRow(seq, STATE_CLASS, "update.step", payload, now)
