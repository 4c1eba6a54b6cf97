"""Where the processes of a node really connect and send to, during a whole ride: nowhere that the list does not name.

The list of exits is held against the source (tests/unit/edge/egress/test_exits.py); this holds it against what happens,
below Python. Everything is on this machine, so each destination is told by its port, and everyone is listed, the
loopback ones too.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from edge.config import site_paths
from edge.egress import exits
from edge.egress.identity import identity
from tests.bench import spike_site
from tests.bench.egress_ride import staff_servers
from tests.contract.courier_process import until
from tests.integration.fabric.llm_server import llm_server
from tests.ports import free_port
from tests.running import Customer, running

pytestmark = [pytest.mark.long, pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")]

SOURCE: Final = Path(__file__).with_name("destinations.c")
MULTICAST: Final = {("224.0.0.251", 5353), ("ff02::fb", 5353)}
QUESTION: Final = "When is the pharmacy open?"
OURS: Final = ("node", "worker", "courier")


class Sent(NamedTuple):
    """One call. `process`: node, worker, courier, or the arguments of another one."""

    process: str
    address: str
    port: int


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "destinations.log"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    made = tmp_path / "destinations.so"
    command = ["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return made


@contextmanager
def written_down(library: Path, log: Path) -> Iterator[None]:
    """Of the programs that begin meanwhile."""
    ours = {"LD_PRELOAD": str(library), "POSTERN_TEST_DESTINATIONS": str(log)}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name)


def read(log: Path) -> set[Sent]:
    """What was sent, by whom."""
    who: dict[str, str] = {}
    found = set()
    for line in log.read_text(errors="replace").splitlines():
        first, *rest = line.split(" ")
        if first == "process":
            words = rest[1:]
            who[rest[0]] = next((word for word in OURS if word in words), " ".join(words))
        else:
            found.add(Sent(who.get(first, "?"), rest[1].removeprefix("::ffff:"), int(rest[2])))
    return found


def test_a_call_below_python_is_seen(library: Path, log: Path) -> None:
    """Or the test below would prove nothing: a connection by the event loop that nodes have, one datagram."""
    program = """
import asyncio, contextlib, socket, uvloop
async def go():
    with contextlib.suppress(OSError):
        await asyncio.open_connection("127.0.0.1", 9)
    with contextlib.suppress(OSError):
        await asyncio.open_connection("::1", 10)
uvloop.run(go())
socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 11))
"""
    with written_down(library, log):
        subprocess.run(["python", "-c", program, "courier"], check=True)
    assert read(log) == {
        Sent("courier", "127.0.0.1", 9), Sent("courier", "::1", 10), Sent("courier", "127.0.0.1", 11)
    }  # fmt: skip


async def test_nothing_is_sent_where_no_exit_leads(
    clinic: Path, tmp_path: Path, library: Path, log: Path
) -> None:
    """Turns, a model of the site's network, tickets by mail and webhook, devices, the announcement, the link, texts."""
    providers = spike_site.overflow_settings("http://127.0.0.1:9")
    with spike_site.cloud(tmp_path / "cloud", providers) as cloud:
        async with staff_servers(tmp_path) as staff, llm_server() as writer:
            settings = (
                (clinic / "site.toml").read_text().replace('mode = "extractive"', 'mode = "generative"')
            )
            settings = settings.replace("[discovery]\nenabled = false", "[discovery]\nenabled = true")
            broker = free_port()
            settings = settings.replace("[mqtt]\nport = 0", f"[mqtt]\nport = {broker}")
            settings += f'\n[models.llm_server]\nurl = "http://127.0.0.1:{writer.port}/v1"\nmodel = "m"\n'
            (clinic / "site.toml").write_text(settings + staff.settings)
            with written_down(library, log):
                await asyncio.to_thread(cloud.enrol, clinic)
                with running(clinic) as node:
                    async with Customer.at(node.url) as customer:
                        await until(lambda: _asks(customer, writer.bodies))
                        turn = (await customer.ask("Which needles does the astronaut prefer?"))["turn_id"]
                        path = f"/api/v1/sessions/{customer.session_id}/turns/{turn}/handoff"
                        assert (await customer.send("POST", path, {}))[0] == 201
                    await until(lambda: staff.mails and staff.posts)
                    await until(lambda: {one.process for one in read(log)} >= {"node", "courier"})
    mine = identity.load(site_paths(clinic).courier)
    assert mine is not None
    told = mine.enrolment
    ports = {
        ("courier", _port(told.sync_endpoint)): "records",
        ("courier", _port(told.enrolment_endpoint)): "enrolment",
        **{("courier", _port(one)): "overflow" for one in told.overflow_endpoints},
        ("node", writer.port): "language model server",
        ("node", staff.mail_port): "mail",
        ("node", staff.webhook_port): "webhook",
        ("node", broker): "broker",
    }
    assert set(ports.values()) <= {one.name for one in exits.EXITS}
    sent = {one for one in read(log) if one.process in OURS}
    unknown = {
        one
        for one in sent
        if (one.process, one.port) not in ports
        and not (one.process == "node" and (one.address, one.port) in MULTICAST)
    }
    assert unknown == set()
    assert {("courier", _port(told.sync_endpoint)), ("node", staff.mail_port), ("node", writer.port)} <= {
        (one.process, one.port) for one in sent
    }


async def _asks(customer: Customer, heard: list[object]) -> bool:
    """Until the site's own server is asked."""
    await customer.ask(QUESTION)
    return bool(heard)


def _port(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])
