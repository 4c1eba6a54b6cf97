"""Ports of loopback for servers that are started later, or again: nobody else is given them meanwhile.

A port that the system had chosen may be anybody's as soon as it is let go: it gives such ports to every server that
asks for one and to every connection, and the tiers run side by side.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle

FIRST, LAST = 20_000, 32_000
"""Below those that Linux gives away (net.ipv4.ip_local_port_range begins at 32768)."""
BLOCK = 200
"""Ports of a process: many times what its tests hold at once, and room for sixty processes."""


def free_port() -> int:
    """A port that nobody listens on now, and that this process gives nobody else soon."""
    return next(port for port in _mine() if _is_free(port))


def free_ports(count: int) -> list[int]:
    """Several."""
    return [free_port() for _ in range(count)]


@cache
def _mine() -> Iterator[int]:
    """This process's own block, over and over: its first port is held for as long as the process lives."""
    for first in range(FIRST, LAST, BLOCK):
        mark = socket.socket()
        try:
            mark.bind(("127.0.0.1", first))
        except OSError:
            mark.close()
            continue
        _held.append(mark)
        return cycle(range(first + 1, first + BLOCK))
    raise AssertionError("every block of ports is taken: end what other test runs left behind")


_held: list[socket.socket] = []


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
