"""What a capture of a cable holds: whose bytes they are, and whether a word stands in them in clear.

TCP's payload is put together by connection and direction, in order, each byte once; of a stream no more is kept than
its length, its hash, and what came too early. Of all other frames those are told apart by which kernels find their
neighbours (tests/integration/egress/cable.py).
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO

from tests.bench.egress_search import Search
from tests.integration.egress.cable import of_a_process

# https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html: version 2.4, whole frames of Ethernet.
FILE_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)
FRAME_HEAD = struct.Struct("<IIII")
ETHERNET_BYTES = 14
IPV4, IPV6, TCP, UDP = 0x0800, 0x86DD, 6, 17
SYN = 0x02
# Searched at a time; of what was searched before so much goes with it, more than a value takes however it is written.
PIECE_BYTES, OVERLAP_BYTES = 1 << 18, 1 << 12

Address = tuple[str, int]


def write_frame(file: BinaryIO, frame: bytes | memoryview, at_s: float) -> None:
    """One more frame of a capture."""
    seconds, part = divmod(round(at_s * 1_000_000), 1_000_000)
    file.write(FRAME_HEAD.pack(seconds, part, len(frame), len(frame)))
    file.write(frame)


def frames(path: Path) -> Iterator[bytes]:
    """Of a capture, as they came. Raises ValueError for a file that is none, or is cut off."""
    with path.open("rb") as file:
        if file.read(len(FILE_HEAD)) != FILE_HEAD:
            raise ValueError(f"{path.name} is no capture.")
        while head := file.read(FRAME_HEAD.size):
            size = FRAME_HEAD.unpack(head)[2] if len(head) == FRAME_HEAD.size else 1
            frame = file.read(size)
            if len(frame) < size or len(head) < FRAME_HEAD.size:
                raise ValueError(f"{path.name} is cut off.")
            yield frame


class Flow:
    """What one side said on a connection, below TLS."""

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()

    def feed(self, content: bytes) -> None:
        """The next bytes."""
        self.size += len(content)
        self._hash.update(content)

    def same_as(self, other: Flow) -> bool:
        """To the byte."""
        return self.size == other.size and self._hash.digest() == other._hash.digest()


@dataclass
class Connection:
    """One of the site's to a tap. `up`: what the site said, `down`: what it was told."""

    site: Address
    tap: Address
    up: Flow = field(default_factory=Flow)
    down: Flow = field(default_factory=Flow)


@dataclass(frozen=True)
class Segment:
    """Of TCP. `first`: the number of its payload's first byte."""

    source: Address
    target: Address
    first: int
    begins: bool
    payload: bytes


def segment(frame: bytes) -> Segment | None:
    """What a frame of IPv4 carries, where that is a whole packet of TCP."""
    if int.from_bytes(frame[12:14], "big") != IPV4 or len(frame) < ETHERNET_BYTES + 20:
        return None
    packet = frame[ETHERNET_BYTES:]
    size, head = int.from_bytes(packet[2:4], "big"), 4 * (packet[0] & 15)
    fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF
    if packet[9] != TCP or fragment or size > len(packet) or size < head + 20:
        return None
    tcp = packet[head:size]
    source, target = (str(ip_address(packet[at : at + 4])) for at in (12, 16))
    begins = bool(tcp[13] & SYN)
    return Segment(
        (source, int.from_bytes(tcp[:2], "big")),
        (target, int.from_bytes(tcp[2:4], "big")),
        (int.from_bytes(tcp[4:8], "big") + begins) & 0xFFFFFFFF,
        begins,
        tcp[4 * (tcp[12] >> 4) :],
    )


class Stream:
    """One direction of a connection, put together."""

    def __init__(self, first: int, flow: Flow, looked_into: Looking) -> None:
        self.first, self.again_bytes = first, 0
        self._next, self._flow, self._looked_into = first, flow, looked_into
        self._early: dict[int, bytes] = {}
        self._unread = bytearray()

    @property
    def missing(self) -> bool:
        """Something came that does not follow what came before."""
        return bool(self._early)

    def take(self, first: int, payload: bytes) -> None:
        """A segment's payload: what is new of it, and what waited for it."""
        if not payload:
            return
        self._early[first] = max(self._early.get(first, b""), payload, key=len)
        while ready := [at for at in self._early if self._ahead(at) <= 0]:
            at = ready[0]
            content = self._early.pop(at)
            known = min(-self._ahead(at), len(content))
            if known:
                self.again_bytes += known
                self._looked_into.look(content)  # it may say something else than at first
            self._flow.feed(content[known:])
            self._next = (self._next + len(content) - known) & 0xFFFFFFFF
            self._unread += content[known:]
        if len(self._unread) >= PIECE_BYTES:
            self.search()

    def search(self) -> None:
        """What has not been searched yet."""
        self._looked_into.look(bytes(self._unread))
        del self._unread[:-OVERLAP_BYTES]

    def _ahead(self, at: int) -> int:
        """How far it is from what is expected next; numbers begin anew after 4 GiB."""
        return (at - self._next + (1 << 31)) % (1 << 32) - (1 << 31)


class Looking:
    """Searches of all that crossed, each with what it found."""

    def __init__(self, searches: Mapping[str, Search]) -> None:
        self._searches = searches
        self.found: dict[str, set[int]] = {name: set() for name in searches}

    def look(self, content: bytes) -> None:
        """Whatever it is."""
        for name, search in self._searches.items():
            self.found[name] |= search.found([content])


class Wire:
    """All that crossed. `taps`: where the only connections go that may be there."""

    def __init__(self, taps: Iterable[Address], searches: Mapping[str, Search]) -> None:
        self._taps, self.looking = frozenset(taps), Looking(searches)
        self.connections: list[Connection] = []
        self.frames, self.bytes = 0, 0
        self.neighbours: Counter[str] = Counter()
        """Frames of kernels, and their bytes."""
        self.strangers: Counter[str] = Counter()
        """Frames of anything else, by what it is."""
        self._open: dict[tuple[Address, Address], Connection] = {}
        self._streams: dict[tuple[Address, Address], Stream] = {}
        self._again_bytes, self._missing = 0, 0

    def take(self, frame: bytes) -> None:
        """The next frame."""
        self.frames, self.bytes = self.frames + 1, self.bytes + len(frame)
        found = segment(frame)
        if found is None or self._taps.isdisjoint((found.source, found.target)):
            if found is None and not of_a_process(frame):
                self.neighbours += Counter(frames=1, bytes=len(frame))
            else:
                self.strangers[described(frame)] += 1
            self.looking.look(frame)
        else:
            self._take(found)

    def _take(self, found: Segment) -> None:
        up = found.target in self._taps
        ends = (found.source, found.target) if up else (found.target, found.source)
        key, stream = (found.source, found.target), self._streams.get((found.source, found.target))
        if found.begins and (stream is None or stream.first != found.first):
            if up:
                self._open[ends] = Connection(*ends)
                self.connections.append(self._open[ends])
            self._end(key)
            if ends in self._open:
                flow = self._open[ends].up if up else self._open[ends].down
                stream = self._streams[key] = Stream(found.first, flow, self.looking)
        if stream is not None:
            stream.take(found.first, found.payload)
        elif found.payload:
            self.strangers["TCP whose beginning was not seen"] += 1
            self.looking.look(found.payload)

    def _end(self, key: tuple[Address, Address]) -> None:
        if (stream := self._streams.pop(key, None)) is not None:
            stream.search()
            self._again_bytes += stream.again_bytes
            self._missing += stream.missing

    def told(self, heard: Sequence[Connection], dropped: int) -> dict[str, Any]:
        """What crossed, against what the taps say of their connections. `dropped`: frames that no one captured."""
        for key in tuple(self._streams):
            self._end(key)
        problems = [f"{count} frames of {what} crossed the cable." for what, count in self.strangers.items()]
        if dropped:
            problems.append(f"{dropped} frames were not captured: there was no room for them.")
        if self._missing:
            problems.append(f"Of {self._missing} streams a part was not captured.")
        problems += differing(self.connections, heard)
        payload = [(one.up.size, one.down.size) for one in self.connections]
        if not sum(up for up, _ in payload):
            problems.append("Nothing crossed the cable.")
        return {
            "frames": self.frames,
            "frame_bytes": self.bytes,
            "connections": len(payload),
            "payload_up_bytes": sum(up for up, _ in payload),
            "payload_down_bytes": sum(down for _, down in payload),
            "retransmitted_bytes": self._again_bytes,
            "neighbours": dict(self.neighbours),
            "strangers": dict(self.strangers),
            "frames_dropped": dropped,
            "problems": problems,
        }


def differing(crossed: Sequence[Connection], heard: Sequence[Connection]) -> list[str]:
    """Connections that the cable and the taps do not tell alike; those of one port come one after the other."""
    sides: dict[tuple[Address, Address], tuple[list[Connection], list[Connection]]] = defaultdict(
        lambda: ([], [])
    )
    for side, those in enumerate((crossed, heard)):
        for one in those:
            sides[one.site, one.tap][side].append(one)
    found = []
    for (site, tap), (here, there) in sides.items():
        # One that was refused or left before it said anything is known to the cable alone.
        here = [one for one in here if one.up.size or one.down.size]
        there = [one for one in there if one.up.size or one.down.size]
        name = f"from port {site[1]} to port {tap[1]}"
        if len(here) != len(there):
            found.append(f"{len(here)} connections {name} crossed, the taps heard {len(there)}.")
        for one, other in zip(here, there, strict=False):
            for way, crossing, hearing in (("up", one.up, other.up), ("down", one.down, other.down)):
                if not crossing.same_as(hearing):
                    found.append(
                        f"{way.capitalize()} {name} {crossing.size} bytes crossed, "
                        f"and the tap knows {hearing.size}, which are not the same."
                    )
    return found


def described(frame: bytes) -> str:
    """What a frame is, and where it goes."""
    kind = int.from_bytes(frame[12:14], "big")
    packet = frame[ETHERNET_BYTES:]
    if kind == IPV4 and len(packet) >= 24:
        content, protocol, target = packet[4 * (packet[0] & 15) :], packet[9], packet[16:20]
    elif kind == IPV6 and len(packet) >= 44:
        content, protocol, target = packet[40:], packet[6], packet[24:40]
    else:
        return f"Ethernet's type 0x{kind:04x}"
    port = f" port {int.from_bytes(content[2:4], 'big')}" if protocol in (TCP, UDP) else ""
    return f"IP's protocol {protocol} to {ip_address(target)}{port}"
