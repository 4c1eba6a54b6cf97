"""A site in a network of its own, with the kernel's rules, root's meter and a real courier under its own account; at
the other end of the cable a real control plane. What the courier then says of the kernel's counters is the real thing.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlite_utils import Database

from edge.config import SitePaths
from edge.egress.envelope import load_or_create_key
from edge.egress.ledger import Leaf, reading
from edge.egress.reconciliation import confinement, meter
from edge.egress.reconciliation.confinement import Counted
from edge.store.outbox import OutboxClass, append
from edge.sync.enrolment import enrol
from tests.contract.connect_proxy import ConnectProxy, serving
from tests.contract.courier_process import CourierProcess, until
from tests.integration.egress.cable import COURIER, INTERNET, WAIT_S, Cable, enter
from tests.integration.egress.confined_courier import MODULE
from tests.integration.sync.rig import ControlPlaneProcess, Node, running_node

METER_S: Final = 0.2
ROW_BYTES: Final = 60
COMPARED: Final = ("reconciled", "discrepancy")
PROVIDER: Final = (
    '\n[[overflow.providers]]\nname = "far"\nkind = "openai"\nurl = "{url}"\nmodel = "m"\n'
    "cost_per_1000_tokens = 0.0\n"
)


class FarCloud(ControlPlaneProcess):
    """At the other end of the cable. `provider`: the address of what answers texts there, "" for none."""

    def __init__(self, root: Path, cable: Cable, host: str = INTERNET) -> None:
        super().__init__(root)
        self._cable, self._host = cable, host
        self.provider = ""

    async def create(self) -> None:
        await super().create()
        text = self.paths.config.read_text()
        _, console, rest = text.partition("[console]")
        head, sync, ports = rest.partition("[sync]")
        ports = ports.replace('host = "127.0.0.1"', f'host = "{self._host}"')
        text = text[: text.index("[console]")] + console + head + sync + ports
        if self.provider:
            text = text.replace("enabled = false", "enabled = true") + PROVIDER.format(url=self.provider)
        self.paths.config.write_text(text)

    async def start(self) -> None:
        self._inside = ["ip", "netns", "exec", self._cable.world]
        try:
            await super().start()
        finally:
            self._inside = []

    _inside: list[str] = []

    def _arguments(self, *words: str) -> list[str]:
        return [*self._inside, *super()._arguments(*words)]


class ConfinedCourier(CourierProcess):
    """Under the courier's account, in the site's network."""

    def __init__(self, paths: SitePaths, cable: Cable, counted: Path, minute_ms: int) -> None:
        super().__init__(paths)
        self._cable, self._counted, self._minute_ms = cable, counted, minute_ms

    async def start(self, *, supervised: bool = False) -> None:
        given = (str(self.paths.root), str(self._counted), str(self._minute_ms), self._cable.site)
        with (self.paths.root.parent / "courier.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", MODULE, *given, stdin=asyncio.subprocess.DEVNULL, stderr=log
            )
        await until(self._answers)


class ConfinedSite:
    """What a test sees of it."""

    def __init__(self, folder: Path, cable: Cable, minute_ms: int, host: str = INTERNET) -> None:
        self.cable, self.folder = cable, folder
        self.paths = SitePaths(folder / "site")
        self.counted = folder / "egress.json"
        self.loaded = folder / "loaded.json"
        self.cloud = FarCloud(folder / "cloud", cable, host)
        self.courier = ConfinedCourier(self.paths, cable, self.counted, minute_ms)

    def prepare(self) -> None:
        """Folders as the installer leaves them."""
        self.paths.root.mkdir(0o755)
        self.paths.config.write_text('[site]\nid = "a"\nname = "A"\n')
        load_or_create_key(self.paths.keys)
        for made in (self.paths.courier, self.paths.run):
            made.mkdir(0o700)
        for owned in (self.paths.courier, self.paths.run, self.paths.keys, *self.paths.keys.iterdir()):
            os.chown(owned, COURIER, COURIER)
        self.cable.confine()
        self.loaded.write_text(self.cable.nft("-j", "-n", "list", "table", "inet", "postern"))

    @contextmanager
    def metered(self) -> Iterator[None]:
        """Root's meter, more often than it looks at a site."""
        over = threading.Event()

        def turn() -> None:
            enter(self.cable.site)
            while not over.wait(METER_S):
                meter.turn(self.counted, True, self.loaded)

        thread = threading.Thread(target=turn)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def leaves(self) -> list[Leaf]:
        return list(reading.read(self.paths.ledger))

    def compared(self) -> list[Leaf]:
        """What was compared so far."""
        return [leaf for leaf in self.leaves() if leaf.type in COMPARED]

    def look(self) -> Counted:
        """The kernel's counters now."""
        found = confinement.read(self.counted)
        assert found is not None
        return found

    async def compared_again(self) -> list[Leaf]:
        """Once all that was sent until now has been compared."""
        now_ms = time.time_ns() // 1_000_000
        await until(lambda: any(int(leaf.fields["to_ms"]) > now_ms for leaf in self.compared()))
        return self.compared()

    async def send_rows(self, node: Node, rows: int) -> None:
        """Rows of the outbox, and wait until the control plane has them."""
        have = len(await self.cloud.records())

        def add(db: Database) -> None:
            for number in range(rows):
                append(db, OutboxClass.STATE, "knowledge.changed", {"documents": have + number, "chunks": 0})

        await node.store.write(add)
        node.sync.notify()

        async def arrived() -> bool:
            return len(await self.cloud.records()) >= have + rows

        await until(arrived, timeout_s=60)


@contextmanager
def _provider(network: str) -> Iterator[str]:
    """What answers texts, in a process of its own in that network; its address."""
    inside = ["ip", "netns", "exec", network, sys.executable, "-m", "tests.faulty_provider"]
    process = subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}/v1"
    finally:
        process.kill()
        process.wait()


@contextmanager
def _proxy(cable: Cable, proxy: ConnectProxy) -> Iterator[None]:
    """At the other end of the cable, where the only way on is."""
    opened: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        over = asyncio.Event()
        async with serving(proxy, INTERNET):
            opened.set_result((asyncio.get_running_loop(), over))
            await over.wait()

    def turn() -> None:
        enter(cable.world)
        asyncio.run(serve())

    thread = threading.Thread(target=turn)
    thread.start()
    loop, over = opened.result(WAIT_S)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


@asynccontextmanager
async def confined_site(
    minute_ms: int = 2_000,
    host: str = INTERNET,
    *,
    overflow: bool = False,
    through: ConnectProxy | None = None,
    config: str = "",
) -> AsyncIterator[tuple[ConfinedSite, Node]]:
    """Enrolled, connected, compared each `minute_ms`. The bound of the framing is for each begun minute all the same:
    only where `minute_ms` is a whole one does a figure say anything of a real site. `overflow`: texts are answered.
    `config`: of the site, with the address of the proxy in place of PROXY."""
    with TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        cable = Cable(f"ptr{os.getpid()}")
        site = ConfinedSite(Path(folder), cable, minute_ms, host)
        try:
            cable.lay()
            site.prepare()
            async with AsyncExitStack() as stack:
                if overflow:
                    site.cloud.provider = stack.enter_context(_provider(cable.world))
                await site.cloud.create()
                await site.cloud.start()
                if through is not None:
                    stack.enter_context(_proxy(cable, through))
                    at = f"{INTERNET}:{through.port}"
                    site.paths.config.write_text(config.replace("PROXY", at), encoding="utf-8")
                stack.enter_context(site.metered())
                await until(site.counted.exists)
                await site.courier.start()
                stack.push_async_callback(site.courier.stop)
                await enrol(site.paths, site.cloud.enrolment, await site.cloud.new_code())
                async with running_node(site.paths) as node:
                    await until(lambda: node.sync.status().connected)
                    yield site, node
        finally:
            await site.cloud.stop()
            cable.tear_down()


@dataclass(frozen=True)
class Share:
    """Of all that was compared, in bytes."""

    kernel: int
    framing: int
    unexplained: int

    @property
    def unexplained_bytes_pct(self) -> float:
        return 100 * self.unexplained / self.kernel


def share_of(leaves: list[Leaf]) -> Share:
    """`leaves`: the comparisons."""
    sums = [
        sum(int(leaf.fields[name]) for leaf in leaves)
        for name in ("kernel_bytes", "framing_bytes", "unexplained_bytes")
    ]
    return Share(*sums)


async def ordinary_life(site: ConfinedSite, node: Node, batches: int = 3) -> Share:
    """Rows, silence, a new connection, rows."""
    for _ in range(batches):
        await site.send_rows(node, 50)
    await site.courier.kill()
    await until(lambda: not node.sync.status().connected)
    await site.courier.start()
    await until(lambda: node.sync.status().connected)
    await site.send_rows(node, 50)
    return share_of(await site.compared_again())
