"""A control plane, a courier and a node, a process each; a link between them that can be cut; and the oracle."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import sqlalchemy as sa

from cloud_sync.store.schema import gaps, records
from edge.egress.identity import identity
from edge.sync.enrolment import enrol
from tests.bench.harness import progress
from tests.bench.link_proxy import LinkProxy
from tests.bench.sync_writer import KIND
from tests.contract.courier_process import CourierProcess, new_site
from tests.integration.sync.rig import ControlPlaneProcess
from tests.overflow_rig import provide
from tests.ports import free_port

LINE_TIMEOUT_S = 600.0
# Kills between two lines of progress: half a minute.
TOLD_EVERY = 10
TARGETS = ("node", "courier", "cloud")


@dataclass
class Found:
    """What the oracle's log and the cloud's tables say of each other."""

    committed: int
    lost: int
    doubled: int
    misordered: int
    gaps: int


@dataclass
class Rig:
    """Everything runs; `writer` is the node."""

    folder: Path
    cloud: ControlPlaneProcess
    courier: CourierProcess
    link: LinkProxy
    life: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    writer: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        return self.folder / "committed.log"

    async def start_writer(self, *arguments: str) -> asyncio.subprocess.Process:
        """A new life of the node."""
        self.life += 1
        self.writer = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.sync_writer"),
            *(str(self.courier.paths.root), str(self.log), "--life", str(self.life), *arguments),
            stdout=asyncio.subprocess.PIPE,
        )
        return self.writer

    async def stop_writer(self) -> None:
        """Kill it, and wait for its end."""
        if self.writer is not None and self.writer.returncode is None:
            self.writer.kill()
            await self.writer.wait()

    async def kill(self, target: str, rate: int) -> None:
        """SIGKILL, and a new life."""
        self.kills[target] += 1
        if target == "node":
            await self.stop_writer()
            await line(await self.start_writer("--rate", str(rate)), "filled")
        elif target == "courier":
            await self.courier.kill()
            await self.courier.start()
        else:
            await self.cloud.kill()
            await self.cloud.start()

    async def judge(self) -> Found:
        """Compare what the writer says that it committed with what the cloud holds."""
        said = [tuple(map(int, row.split())) for row in self.log.read_text().splitlines()]
        committed = [number for first, last in said for number in range(first, last + 1)]
        query = sa.select(records.c.payload).where(records.c.kind == KIND)
        rows = await self.cloud.database.run(
            lambda db: db.execute(query.order_by(records.c.epoch, records.c.seq)).scalars().all()
        )
        missing = await self.cloud.database.run(
            lambda db: db.execute(sa.select(sa.func.count()).select_from(gaps)).scalar_one()
        )
        arrived = [int(json.loads(payload)["documents"]) for payload in rows]
        times = Counter(arrived)
        return Found(
            committed=len(committed),
            lost=sum(number not in times for number in committed),
            doubled=sum(count - 1 for count in times.values()),
            misordered=sum(after <= before for before, after in pairwise(arrived)),
            gaps=missing,
        )


async def line(process: asyncio.subprocess.Process, expected: str) -> None:
    """Wait for a line of the writer. Raises AssertionError when it ends without it."""
    assert process.stdout is not None
    async with asyncio.timeout(LINE_TIMEOUT_S):
        while text := await process.stdout.readline():
            if text.decode().strip() == expected:
                return
    raise AssertionError(f"the writer ended before it was {expected}")


@asynccontextmanager
async def rig(
    folder: Path, database: str = "", *, delay_s: float = 0.0, loss: float = 0.0, provider: str = ""
) -> AsyncIterator[Rig]:
    """An enrolled site whose link goes through a proxy; nothing is written yet.

    `provider`: lines of cloud.toml about who answers texts; "": nobody does.
    """
    cloud = ControlPlaneProcess(folder / "cloud", database)
    await cloud.create()
    if provider:
        provide(cloud.paths, [provider])
    await cloud.start()
    paths = new_site(folder / "site")
    courier = CourierProcess(paths)
    link: LinkProxy | None = None
    made: Rig | None = None
    try:
        await enrol(paths, cloud.enrolment, await cloud.new_code())
        link = through_a_proxy(paths.courier, delay_s, loss)
        await courier.start()
        made = Rig(folder, cloud, courier, link)
        yield made
    finally:
        if made is not None:
            await made.stop_writer()
        await courier.stop()
        await cloud.stop()
        if link is not None:
            link.close()


def through_a_proxy(courier: Path, delay_s: float = 0.0, loss: float = 0.0) -> LinkProxy:
    """Let an enrolled courier reach the control plane by a link of its own."""
    mine = identity.load(courier)
    assert mine is not None
    port = int(mine.enrolment.sync_endpoint.rpartition(":")[2])
    link = LinkProxy(port, free_port(), delay_s=delay_s, loss=loss)
    identity.store(courier, replace(mine, enrolment=replace(mine.enrolment, sync_endpoint=link.endpoint)))
    return link


async def flap(
    rig: Rig, seconds: float, rate: int, kill_every_s: float, chance: random.Random, kills_min: int = 0
) -> None:
    """Rows come at `rate` while processes are killed and the link is cut, for `seconds` and so many kills at least."""
    loop = asyncio.get_running_loop()
    await line(await rig.start_writer("--rate", str(rate)), "filled")
    until = loop.time() + seconds
    waiting: list[str] = []
    while (now := loop.time()) < until or sum(rig.kills.values()) < kills_min:
        waiting = waiting or chance.sample(TARGETS, len(TARGETS))
        await rig.kill(waiting.pop(), rate)
        if (kills := sum(rig.kills.values())) % TOLD_EVERY == 0:
            progress(f"{kills} kills, {max(0.0, until - loop.time()):.0f} s to go")
        with rig.link.cut():
            await asyncio.sleep(chance.uniform(0.0, kill_every_s / 4))
        await asyncio.sleep(max(0.0, now + kill_every_s - loop.time()))
    await rig.stop_writer()
    await line(await rig.start_writer(), "drained")
