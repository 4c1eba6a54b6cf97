"""A virtual cable between couriers and the taps, and a capture of every frame that crosses it.

Couriers run in a network of their own, where nothing is but one end of the cable (and of a second one, to which nothing
leads); the taps listen at its other end. Nodes, which serve customers and reach the site's own servers, stay on this
machine's network: that they cannot send past the courier is what egress_bypasses shows. The capture is a file of pcap,
written by a process of its own: `python -m tests.bench.egress_cable NETWORK FILE`, until its standard input ends. Needs
root.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.identity import CONTROL_PLANE_TARGET_NAME
from tests.bench import egress_wire, harness
from tests.bench.egress_search import Search
from tests.bench.egress_tap import Taps
from tests.integration.egress.cable import FRAME_BYTES_MAX, GATEWAY, Cable, enter, may_make_networks

# What comes while the machine is busy elsewhere; a text with its answer takes some 10 KiB.
WAITING_BYTES = 1 << 27
# linux/socket.h, linux/if_packet.h, asm-generic/socket.h, linux/if_ether.h
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE, ETH_P_ALL = 263, 6, 33, 3
WAIT_S = 60.0
LOOK_AGAIN_S = 0.05
# In clear in the first words of each connection, as every client of TLS says whom it wants.
ALWAYS_SEEN = CONTROL_PLANE_TARGET_NAME


@dataclass
class Line:
    """The cable while it is laid. `couriers`: their network."""

    couriers: str
    capture: Path
    _cable: Cable
    _process: subprocess.Popen[str]

    def listener(self) -> socket.socket:
        """At the other end of the cable, on any free port."""
        return self._cable.in_world(lambda: socket.create_server((GATEWAY, 0)))

    def at_couriers(self, make: Callable[[], socket.socket]) -> socket.socket:
        """A socket at the couriers' end."""
        return self._cable.at_site(make)

    def end(self) -> int:
        """Capture no more; how many frames there was no room for."""
        told, _ = self._process.communicate(timeout=WAIT_S)
        return int(json.loads(told)["dropped"])


@contextmanager
def laid(folder: Path) -> Iterator[Line | None]:
    """Lay it, and capture to a file in the folder; None where this machine lets nobody make networks."""
    if not may_make_networks():
        yield None
        return
    cable, path = Cable(f"pe{os.getpid()}"), folder / "cable.pcap"
    process = None
    try:
        cable.lay()
        command = [sys.executable, "-m", "tests.bench.egress_cable", cable.world, str(path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        assert process.stdout.readline(), "the capture did not begin"
        yield Line(cable.site, path, cable, process)
    finally:
        if process is not None:
            process.kill()
            process.wait()
        cable.tear_down()


def crossed(line: Line | None, taps: Taps, searches: Mapping[str, Search]) -> dict[str, Any]:
    """Of the capture, once the couriers have ended: against what the taps heard below TLS, to the byte and both ways.

    `found`: numbers of each search. Raises BenchRefused where no cable was laid, TimeoutError where one still speaks.
    """
    if line is None:
        raise harness.BenchRefused(
            "There is no capture at a cable: it needs root who may make network namespaces, nft and ip."
        )
    until = time.monotonic() + WAIT_S
    while taps.link.open or taps.overflow.open:
        if time.monotonic() > until:
            raise TimeoutError("a courier that has ended is still connected")
        time.sleep(LOOK_AGAIN_S)
    always = Search()
    always.add(ALWAYS_SEEN)
    ends = [end for tap in (taps.overflow, taps.link) for end in tap.ends]
    wire = egress_wire.Wire({taps.overflow.address, taps.link.address}, {**searches, "always": always})
    dropped = line.end()
    for frame in egress_wire.frames(line.capture):
        wire.take(frame)
    told = wire.told([end.passed for end in ends], dropped)
    found = wire.looking.found
    if not found["always"]:
        told["problems"].append(f"On the cable {ALWAYS_SEEN} was not seen, which is always there.")
    if unread := sum(end.unread_bytes for end in ends):
        told["problems"].append(f"{unread} bytes came to the taps and were not decrypted.")
    return told | {"found": {name: found[name] for name in searches}}


def capture(network: str, path: Path) -> int:
    """Every frame that comes to that network or leaves it, until standard input ends; how many found no room."""
    enter(network)
    buffer = bytearray(2 * FRAME_BYTES_MAX)
    with (
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap,
        path.open("wb") as file,
    ):
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, WAITING_BYTES)
        tap.setblocking(False)
        file.write(egress_wire.FILE_HEAD)
        sys.stdout.write("capturing\n")
        sys.stdout.flush()
        over = False
        while not over:
            over = sys.stdin in select.select((tap, sys.stdin), (), ())[0]
            _take_all(tap, buffer, file)
        # Frames that were seen, and those of them that were dropped.
        return int(struct.unpack("II", tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1])


def _take_all(tap: socket.socket, buffer: bytearray, file: egress_wire.BinaryIO) -> None:
    """Whatever is there now, but for what the taps' end says to itself."""
    try:
        while True:
            size, (interface, *_) = tap.recvfrom_into(buffer)
            if interface != "lo":
                egress_wire.write_frame(file, memoryview(buffer)[:size], time.time())
    except BlockingIOError:
        pass


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"dropped": capture(sys.argv[1], Path(sys.argv[2]))}) + "\n")
