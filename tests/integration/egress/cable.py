"""A site in a network namespace of its own, with two cables to another one that plays the internet, and a look at all
that crosses them. Needs root, `ip` and `nft`; nothing of it touches the machine's own network.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Literal, TypeVar

import pytest

RULES: Final = Path(__file__).parents[3] / "firmware_scripts/units/postern-egress.nft"
NODE, WORKER, COURIER, OTHER = 64001, 64002, 64003, 64004
"""Accounts of the site; nobody on a machine that runs tests has such numbers."""
GATEWAY, GATEWAY6 = "10.77.0.1", "fd77::1"
"""The site's router, in its own network."""
INTERNET, INTERNET6 = "198.51.100.1", "2001:db8::1"
RESOLVER: Final = "203.0.113.53"
METADATA, METADATA6 = "169.254.169.254", "fd00:ec2::254"
SECOND, SECOND6 = "192.0.2.1", "2001:db8:2::1"
"""At the end of the second cable."""
FENCE: Final = b"this is the fence"
WAIT_S: Final = 10.0
CLONE_NEWNET: Final = 0x40000000
CAP_NET_RAW: Final = 13
FRAME_BYTES_MAX: Final = 65_536
DISCOVERY: Final = range(130, 144)
"""ICMPv6 types of multicast listeners, routers and neighbours."""


def may_make_networks() -> bool:
    """Root in a container often may not, whatever its number is."""
    if sys.platform != "linux" or os.getuid() != 0 or not all(map(shutil.which, ("nft", "ip", "unshare"))):
        return False
    tried = subprocess.run(("unshare", "--net", "--mount", "true"), capture_output=True, check=False)
    return tried.returncode == 0


needs_namespaces = pytest.mark.skipif(
    not may_make_networks(), reason="needs root who may make network namespaces, nft and ip"
)
libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


def _call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), name)


def enter(namespace: str) -> None:
    """This thread is in that network from now on."""
    with open(f"/run/netns/{namespace}", "rb") as there:
        _call("setns", there.fileno(), CLONE_NEWNET)


def become(uid: int, *, raw: bool = False) -> None:
    """This process is that account's from now on, as its unit starts it; `raw`: with the right to raw sockets."""
    _call("prctl", 8, int(raw), 0, 0, 0)  # PR_SET_KEEPCAPS
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    right = 1 << CAP_NET_RAW if raw else 0
    # Version 3, this process; effective, permitted and inheritable in two halves.
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(right, right)
    _call("capset", header, sets)
    _call("prctl", 38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS


class Cable:
    """The site's network and what crosses its cables."""

    def __init__(self, tag: str) -> None:
        self.site, self.world = f"{tag}-site", f"{tag}-world"
        self._taps: list[socket.socket] = []
        self._fences: list[list[tuple[socket.socket, str]]] = []
        self._fence = 0

    def lay(self) -> None:
        """Make it all."""
        for namespace in (self.site, self.world):
            _ip("netns", "add", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        for name, number, number6 in (("lan", "10.77.0", "fd77::"), ("wan", "192.0.2", "2001:db8:2::")):
            _ip("link", "add", name, "netns", self.site, "type", "veth", "peer", name, "netns", self.world)
            for namespace, end in ((self.site, "2"), (self.world, "1")):
                _ip("-n", namespace, "addr", "add", f"{number}.{end}/24", "dev", name)
                _ip("-n", namespace, "addr", "add", f"{number6}{end}/64", "dev", name, "nodad")
                _ip("-n", namespace, "link", "set", name, "up")
        for address in (f"{INTERNET}/32", f"{RESOLVER}/32", f"{INTERNET6}/128"):
            _ip("-n", self.world, "addr", "add", address, "dev", "lo")
        _ip("-n", self.site, "route", "add", "default", "via", GATEWAY)
        _ip("-n", self.site, "-6", "route", "add", "default", "via", GATEWAY6)
        self.at_site(lambda: Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 2147483647"))
        # The relay listens where a resolver would.
        self.at_site(lambda: Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").write_text("0"))
        for name, *to in (
            ("lan", (socket.AF_INET, GATEWAY), (socket.AF_INET6, GATEWAY6)),
            ("wan", (socket.AF_INET, SECOND), (socket.AF_INET6, SECOND6)),
        ):
            self._taps.append(self.in_world(lambda name=name: _tap(name)))
            self._fences.append(
                [
                    (self.at_site(lambda kind=kind: socket.socket(kind, socket.SOCK_DGRAM)), end)
                    for kind, end in to
                ]
            )
        self.crossed()

    def tear_down(self) -> None:
        """Remove it all."""
        for tap in (*self._taps, *(fence for fences in self._fences for fence, _ in fences)):
            tap.close()
        with ExitStack() as all_of_them:  # one that fails does not keep the other
            for namespace in (self.site, self.world):
                all_of_them.callback(_ip, "netns", "del", namespace)

    def at_site(self, make: Callable[[], T]) -> T:
        """What `make` makes in the site's network: a socket stays where it was made."""
        return _made_in(self.site, make)

    def in_world(self, make: Callable[[], T]) -> T:
        """The same at the other end."""
        return _made_in(self.world, make)

    def confine(self, others: str = "refuse") -> None:
        """Load the rules as postern-egress.service does, and name proxies: the router, and one on this machine."""
        users = (f"node={NODE}", f"worker={WORKER}", f"courier={COURIER}", f"others={others}", "exempt={ 0 }")
        defined = [word for user in users for word in ("-D", user)]
        self.nft(*defined, "-f", str(RULES))
        self.nft("add", "element", "inet", "postern", "proxies4", f"{{ {GATEWAY} . 3128, 127.0.0.1 . 3128 }}")

    def set_free(self) -> None:
        """No rules."""
        self.nft("flush", "ruleset")

    def counters(self, of: Literal["packets", "bytes"] = "packets") -> Mapping[str, int]:
        """What was counted, by counter; none without rules."""
        listed = json.loads(self.nft("-j", "list", "counters"))["nftables"]
        return {one["counter"]["name"]: one["counter"][of] for one in listed if "counter" in one}

    def crossed(self) -> list[bytes]:
        """Frames of the site's processes that crossed either cable since the last call.

        A datagram of root's follows whatever was sent before, to each neighbour: when it has come, all of that has.
        """
        self._fence += 1
        mark, found = FENCE + self._fence.to_bytes(8, "big"), []
        for tap, fences in zip(self._taps, self._fences, strict=True):
            for fence, to in fences:
                fence.sendto(mark, (to, 9))
                while mark not in (frame := _next(tap)):
                    if FENCE not in frame and of_a_process(frame):
                        found.append(frame)
        return found

    def as_user(self, uid: int, work: Callable[[], object], *, raw: bool = False) -> int:
        """Run `work` at the site under an account; returns 0, or the errno that it ended with, 255 for another end."""
        with self.running(uid, work, raw=raw) as pid:
            _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status)

    @contextmanager
    def running(self, uid: int, work: Callable[[], object], *, raw: bool = False) -> Iterator[int]:
        """`work` at the site under an account, killed at the end."""
        pid = os.fork()
        if pid == 0:
            _be(lambda: (enter(self.site), become(uid, raw=raw), work()))
        try:
            yield pid
        finally:
            with suppress(ChildProcessError, ProcessLookupError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    os.kill(pid, 9)
                    os.waitpid(pid, 0)

    def nft(self, *arguments: str) -> str:
        """What it said."""
        done = subprocess.run(
            ("ip", "netns", "exec", self.site, "nft", *arguments),
            capture_output=True, text=True, timeout=WAIT_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def _be(work: Callable[[], object]) -> None:
    """The life of a forked process."""
    status = 255
    try:
        work()
        status = 0
    except OSError as error:
        status = error.errno or 255
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _ip(*arguments: str) -> None:
    done = subprocess.run(("ip", *arguments), capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


def _made_in(namespace: str, make: Callable[[], T]) -> T:
    def make_there() -> T:
        enter(namespace)
        return make()

    with ThreadPoolExecutor(1) as thread:  # it ends, and its network with it
        return thread.submit(make_there).result()


def _tap(interface: str) -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    tap.bind((interface, 3))
    tap.settimeout(WAIT_S)
    return tap


def _next(tap: socket.socket) -> bytes:
    """The next frame that came from the site."""
    while True:
        frame, (_, _, kind, *_) = tap.recvfrom(FRAME_BYTES_MAX)
        if kind != socket.PACKET_OUTGOING:
            return frame


def of_a_process(frame: bytes) -> bool:
    """Whether it is more than what a kernel says by itself to find its neighbours."""
    match int.from_bytes(frame[12:14], "big"):
        case 0x0800:
            return frame[23] != 2  # IGMP
        case 0x86DD:
            after = frame[62:] if frame[20] == 0 else frame[54:]  # behind hop by hop: MLD
            kernels = frame[20] in (0, 58)
            return not (kernels and after and after[0] in DISCOVERY)
        case other:
            return other != 0x0806  # ARP
