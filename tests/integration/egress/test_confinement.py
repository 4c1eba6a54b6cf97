"""The rules of who may send what, in a network of their own: what crosses the cable, and what the kernel counted."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest

from edge.config import SitePaths
from edge.egress.reconciliation import confinement, meter
from edge.node_status import way_out
from tests.integration.egress import attempts
from tests.integration.egress.attempts import ATTEMPTS, Attempt
from tests.integration.egress.cable import (
    COURIER,
    GATEWAY,
    GATEWAY6,
    INTERNET,
    INTERNET6,
    NODE,
    OTHER,
    RESOLVER,
    RULES,
    WAIT_S,
    WORKER,
    Cable,
    needs_namespaces,
)

pytestmark = needs_namespaces

NOBODY = "203.0.113.99"
"""Beyond the router, where nothing answers: the kernel goes on waiting for it."""
OLD_PORTS = {"refuse": 40_001, "count": 40_002}
"""One for each, as connections of before are remembered for minutes."""


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    """Laid once, with a relay of another user at the site."""
    laid = Cable(f"pt{os.getpid()}")
    try:
        laid.lay()
        heard, said = os.pipe()
        os.environ["RELAY_READY"] = str(said)
        with laid.running(OTHER, attempts.relay):
            os.close(said)
            assert os.read(heard, 1)
            yield laid
    finally:
        laid.tear_down()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_nobody_gets_around_the_courier(cable: Cable, attempt: Attempt) -> None:
    cable.set_free()
    cable.crossed()
    cable.as_user(attempt.user, attempt.work, raw=attempt.raw)
    assert cable.crossed(), "without rules it gets through, or the test would prove nothing"
    cable.confine()
    cable.as_user(attempt.user, attempt.work, raw=attempt.raw)
    assert not cable.crossed()
    assert cable.counters()[attempt.counter] >= 1
    assert cable.counters()["courier_sent"] == 0


def test_below_ip_no_rule_looks_and_no_unit_may(cable: Cable) -> None:
    cable.confine()
    cable.as_user(NODE, attempts.over_ethernet, raw=True)
    assert cable.crossed(), "with the right to raw sockets it gets through"
    assert cable.as_user(NODE, attempts.over_ethernet) == errno.EPERM
    assert not cable.crossed()


def test_what_is_allowed_gets_through_and_is_counted(cable: Cable) -> None:
    cable.confine()
    for user, work, counter in (
        (COURIER, attempts.tcp(INTERNET, 443), "courier_sent"),
        (COURIER, attempts.udp(RESOLVER, 53), "courier_dns"),
        (NODE, attempts.tcp(GATEWAY, 1883), "node_lan"),
        (NODE, attempts.tcp(GATEWAY6, 1883, socket.AF_INET6), "node_lan"),
    ):
        before = cable.counters()[counter]
        assert cable.as_user(user, work) == 0
        assert cable.crossed()
        assert cable.counters()[counter] == before + 1


def test_where_others_are_only_counted_they_are_counted(cable: Cable) -> None:
    cable.confine("count")
    before = cable.counters()["other_sent"]
    cable.as_user(OTHER, attempts.tcp(INTERNET, 443))
    assert cable.crossed()
    assert cable.counters()["other_sent"] > before
    assert cable.counters()["other_refused"] == 0


@pytest.mark.parametrize("others", ["refuse", "count"])
def test_the_couriers_old_port_lets_nobody_out(cable: Cable, others: Literal["refuse", "count"]) -> None:
    """The kernel takes the packet for one of the courier's connection, which it still remembers, with its mark."""
    port = OLD_PORTS[others]
    cable.confine(others)
    cable.as_user(COURIER, attempts.tcp(NOBODY, 443, own_port=port))
    assert cable.crossed()
    before = cable.counters()
    cable.as_user(OTHER, attempts.tcp(NOBODY, 443, own_port=port))
    assert bool(cable.crossed()) is (others == "count")
    after = cable.counters()
    assert after["courier_sent"] == before["courier_sent"]
    assert after["other_refused"] == (1 if others == "refuse" else 0)


def test_a_socket_that_the_courier_gives_away_stays_the_couriers(cable: Cable) -> None:
    """No rule tells them apart; the bytes are the courier's, and no leaf explains them."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def give() -> None:
        with socket.socket() as out:
            socket.send_fds(ours, [b"x"], [out.fileno()])

    def use() -> None:
        _, (given,), *_ = socket.recv_fds(theirs, 10, 1)
        with socket.socket(fileno=given) as out:
            out.setblocking(False)
            with suppress(BlockingIOError):
                out.connect((INTERNET, 443))

    cable.confine()
    assert cable.as_user(COURIER, give) == 0
    assert cable.as_user(NODE, use) == 0
    assert cable.crossed()
    assert cable.counters()["courier_sent"] == 1
    assert cable.counters()["node_refused_tcp"] == 0


def test_what_was_written_before_the_end_is_the_couriers(cable: Cable) -> None:
    """Nobody owns a closed socket; what still lies in it is sent, and counted by the mark of its connection."""
    listener = cable.in_world(lambda: socket.create_server((INTERNET, 443)))
    size = 1_000_000  # more than the other end takes without reading, less than a send buffer grows to

    def write_and_end() -> None:
        with socket.socket() as out:
            out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * size)
            out.connect((INTERNET, 443))
            out.setblocking(False)
            written = out.send(bytes(size))
            os.write(said, written.to_bytes(4, "big"))

    with listener:
        heard, said = os.pipe()
        cable.confine()
        with cable.running(COURIER, write_and_end):
            taken, _ = listener.accept()
            written = int.from_bytes(os.read(heard, 4), "big")
        assert written > cable.counters("bytes")["courier_sent"], "some of it still waits"
        with taken:
            taken.settimeout(WAIT_S)
            received = 0
            while piece := taken.recv(1 << 20):
                received += len(piece)
        assert received == written
        assert cable.counters("bytes")["courier_sent"] > written
        assert cable.counters("bytes")["other_sent"] < 1_000


@pytest.mark.parametrize(("to", "family"), [(INTERNET, socket.AF_INET), (INTERNET6, socket.AF_INET6)])
def test_without_its_headers_the_kernel_counted_what_was_written(
    cable: Cable, tmp_path: Path, to: str, family: int
) -> None:
    """To the byte, though headers differ by the packet: none is allowed more than it has."""
    size = 100_000
    there = cable.in_world(lambda: socket.create_server((to, 4443), family=family))

    def write() -> None:
        with socket.create_connection((to, 4443), WAIT_S) as out:
            out.sendall(bytes(size))
            out.shutdown(socket.SHUT_WR)
            out.recv(1_000)

    cable.confine()
    loaded = listed(cable, tmp_path)
    with there, cable.running(COURIER, write):
        taken, _ = there.accept()
        with taken:
            taken.settimeout(WAIT_S)
            received = 0
            while piece := taken.recv(1 << 20):
                received += len(piece)
            taken.sendall(bytes(1_000))
    assert received == size
    counted = cable.at_site(lambda: meter.look(loaded))
    assert counted is not None
    assert counted.counters["courier_sent"][1] - counted.courier_headers() == size
    assert counted.counters["courier_received"][1] > 1_000


def test_the_meter_tells_the_rules_in_force(cable: Cable, tmp_path: Path) -> None:
    path = tmp_path / "egress.json"
    cable.confine()
    cable.as_user(COURIER, attempts.tcp(INTERNET, 443))
    assert cable.at_site(lambda: meter.turn(path, True, listed(cable, tmp_path)))
    counted = confinement.read(path)
    assert counted is not None
    assert counted.users == {"node": NODE, "worker": WORKER, "courier": COURIER}
    assert counted.others == "refuse"
    assert counted.counters["courier_sent"] == (1, 60)
    assert confinement.confined("node", path, NODE)
    assert not confinement.confined("node", path, COURIER)
    cable.set_free()
    assert not cable.at_site(lambda: meter.turn(path, True, tmp_path / "loaded.json"))
    assert confinement.read(path) is None


def listed(cable: Cable, folder: Path) -> Path:
    """What was loaded, as postern-egress.sh keeps it."""
    path = folder / "loaded.json"
    path.write_text(cable.nft("-j", "-n", "list", "table", "inet", "postern"))
    return path


@pytest.mark.parametrize(
    "change",
    [
        "flush chain inet postern node",
        "add element inet postern exempt { 64004 }",
        "add rule inet postern worker accept",
    ],
    ids=["flushed", "exempt", "added"],
)
def test_rules_that_are_not_the_loaded_ones_are_not_in_force(
    cable: Cable, tmp_path: Path, change: str
) -> None:
    cable.confine()
    loaded = listed(cable, tmp_path)
    assert cable.at_site(lambda: meter.look(loaded))
    cable.nft(change)
    assert cable.at_site(lambda: meter.look(loaded)) is None


def loaded_by_script(cable: Cable, what: str, **choices: str) -> subprocess.CompletedProcess[str]:
    """As the unit does; `what`: the folder, or "check"."""
    users = {"NODE": str(NODE), "WORKER": str(WORKER), "COURIER": str(COURIER), "OTHERS": "refuse"}
    return subprocess.run(
        ("ip", "netns", "exec", cable.site, str(RULES.with_suffix(".sh")), what),
        env=os.environ | users | choices, capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip


def test_accounts_that_are_gone_do_not_keep_the_rules_from_being_loaded(cable: Cable, tmp_path: Path) -> None:
    done = loaded_by_script(cable, str(tmp_path), EXEMPT="postern-gone _apt games")
    assert (done.returncode, done.stderr) == (0, "no account postern-gone: it is not exempt\n")
    counted = cable.at_site(lambda: meter.look(tmp_path / "loaded.json"))
    assert counted is not None
    assert counted.others == "refuse"
    exempt = cable.nft("-n", "list", "set", "inet", "postern", "exempt")
    assert {str(pwd.getpwnam(name).pw_uid) for name in ("root", "_apt", "games")} <= set(
        exempt.split("elements = {")[1].replace(",", " ").split()
    )


def test_rules_that_cannot_be_loaded_leave_those_in_force(cable: Cable, tmp_path: Path) -> None:
    assert loaded_by_script(cable, str(tmp_path)).returncode == 0
    assert loaded_by_script(cable, "check").returncode == 0
    assert loaded_by_script(cable, "check", OTHERS="nonsense").returncode != 0
    assert loaded_by_script(cable, str(tmp_path), OTHERS="nonsense").returncode != 0
    assert cable.at_site(lambda: meter.look(tmp_path / "loaded.json"))


def test_a_node_from_which_the_couriers_folder_is_hidden_knows_that_it_is_confined(cable: Cable) -> None:
    """As the units leave it: a folder of root's in place of the courier's, and the courier's socket."""
    with TemporaryDirectory(dir="/tmp") as folder:
        os.chmod(folder, 0o755)
        paths = SitePaths(Path(folder) / "site")
        for made in (paths.root, paths.courier, paths.store.parent, paths.run):
            made.mkdir(0o755)
        paths.courier.chmod(0)
        paths.store.touch()
        os.chown(paths.store, NODE, NODE)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(paths.courier_socket))
        counted = Path(folder) / "egress.json"

        def look(courier: int) -> None:
            os.chown(paths.courier_socket, courier, courier)
            cable.at_site(lambda: meter.turn(counted, True, listed(cable, Path(folder))))

        def say() -> None:
            os._exit(len(way_out(paths, counted)))

        cable.confine()
        look(COURIER)
        assert cable.as_user(NODE, say) == 0
        look(OTHER)
        assert cable.as_user(NODE, say) == len("unconfined")
