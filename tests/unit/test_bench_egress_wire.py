"""What the bench of the way out says of a capture: whatever crossed the cable and no tap heard is told."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from tests.bench import egress_wire
from tests.bench.egress_search import Search
from tests.bench.egress_wire import SYN, TCP, Address, Connection, Wire

SITE, TAP, ELSEWHERE = ("10.77.0.2", 40_001), ("10.77.0.1", 4433), ("203.0.113.53", 53)
UDP, ICMP = 17, 1
CARD = "6011 1228 9060 6094"
# Near the end of what TCP counts to.
FIRST = 2**32 - 10


def ethernet(kind: int, packet: bytes) -> bytes:
    return bytes(12) + kind.to_bytes(2, "big") + packet


def ipv4(protocol: int, source: str, target: str, content: bytes) -> bytes:
    ends = ip_address(source).packed + ip_address(target).packed
    return ethernet(
        egress_wire.IPV4,
        struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(content), 0, 0, 64, protocol, 0) + ends + content,
    )


def tcp(source: Address, target: Address, number: int, payload: bytes = b"", flags: int = 0) -> bytes:
    head = struct.pack(">HHIIBBHHH", source[1], target[1], number % 2**32, 0, 5 << 4, flags, 0, 0, 0)
    return ipv4(TCP, source[0], target[0], head + payload)


def begun(first: int = FIRST, site: Address = SITE) -> list[bytes]:
    """Both ends' first words; the next byte of each has the number after `first`."""
    return [tcp(site, TAP, first, flags=SYN), tcp(TAP, site, first, flags=SYN)]


def said(*pieces: tuple[int, bytes]) -> list[bytes]:
    return [tcp(SITE, TAP, FIRST + 1 + at, content) for at, content in pieces]


def heard(up: bytes, down: bytes = b"", site: Address = SITE) -> Connection:
    found = Connection(site, TAP)
    found.up.feed(up)
    found.down.feed(down)
    return found


def told(
    frames: Iterable[bytes], of_taps: Sequence[Connection], dropped: int = 0
) -> tuple[dict[str, Any], set[int]]:
    search = Search()
    search.add(CARD)
    wire = Wire({TAP}, {"canaries": search})
    for frame in frames:
        wire.take(frame)
    return wire.told(of_taps, dropped), wire.looking.found["canaries"]


def test_bytes_are_counted_once_in_their_order_though_they_come_late_and_twice() -> None:
    frames = [
        *begun(),
        *said((6, b"second"), (0, b"first,"), (0, b"first,"), (3, b"st,sec"), (12, b" third")),
        tcp(TAP, SITE, FIRST + 1, b"answer"),
    ]
    found, canaries = told(frames, [heard(b"first,second third", b"answer")])
    assert (found["payload_up_bytes"], found["payload_down_bytes"], found["connections"]) == (18, 6, 1)
    assert found["retransmitted_bytes"] == 12
    assert not found["problems"]
    assert not canaries


@pytest.mark.parametrize(
    ("up", "down"), [(b"hello", b"there!"), (b"hell", b"there"), (b"hellO", b"there"), (b"", b"")]
)
def test_what_a_tap_did_not_hear_to_the_byte_is_told(up: bytes, down: bytes) -> None:
    frames = [*begun(), *said((0, b"hello")), tcp(TAP, SITE, FIRST + 1, b"there")]
    assert not told(frames, [heard(b"hello", b"there")])[0]["problems"]
    assert told(frames, [heard(up, down)])[0]["problems"]
    assert told(frames, [])[0]["problems"]
    assert told(frames, [heard(b"hello", b"there"), heard(b"more")])[0]["problems"]


def test_a_port_that_is_used_again_is_another_connection() -> None:
    frames = [*begun(), *said((0, b"hello")), *begun(70), tcp(SITE, TAP, 71, b"again")]
    assert not told(frames, [heard(b"hello"), heard(b"again")])[0]["problems"]
    assert told(frames, [heard(b"again"), heard(b"hello")])[0]["problems"]


@pytest.mark.parametrize(
    "frame",
    [
        ipv4(UDP, SITE[0], ELSEWHERE[0], struct.pack(">HHHH", 40_001, 53, 8, 0)),
        ipv4(UDP, SITE[0], TAP[0], struct.pack(">HHHH", 40_001, TAP[1], 8, 0)),
        ipv4(ICMP, SITE[0], TAP[0], bytes(8)),
        tcp(SITE, ELSEWHERE, 1, flags=SYN),
        tcp(SITE, (TAP[0], TAP[1] + 1), 1, flags=SYN),
        tcp((SITE[0], 40_002), TAP, 1, b"in the middle"),
        ethernet(egress_wire.IPV6, bytes(6) + bytes((TCP,)) + bytes(53)),
        ethernet(0x88B5, b"over ethernet"),
        tcp(SITE, TAP, FIRST + 1, b"hello")[:-1],
    ],
    ids=["dns", "udp", "icmp", "elsewhere", "port", "unbegun", "ipv6", "ethernet", "cut"],
)
def test_whatever_is_no_connection_to_a_tap_is_told(frame: bytes) -> None:
    frames = [*begun(), *said((0, b"hello"))]
    found, _ = told([*frames, frame], [heard(b"hello")])
    assert sum(found["strangers"].values()) == 1
    assert len(found["problems"]) == 1


def test_kernels_that_look_for_their_neighbours_are_counted_apart() -> None:
    asks = ethernet(0x0806, bytes(28))
    found, _ = told([asks, *begun(), *said((0, b"hello"))], [heard(b"hello")])
    assert found["neighbours"] == {"frames": 1, "bytes": len(asks)}
    assert not found["problems"]


def test_what_was_not_captured_is_told() -> None:
    whole = [heard(b"hello there")]
    assert told([*begun(), *said((0, b"hello"), (5, b" there"))], whole)[0]["problems"] == []
    assert "a part was not captured" in told([*begun(), *said((5, b" there"))], whole)[0]["problems"][0]
    assert "1 frames were not captured" in told([], [], dropped=1)[0]["problems"][0]
    assert told([], [])[0]["problems"] == ["Nothing crossed the cable."]


def test_a_canary_is_seen_in_clear_wherever_it_crosses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_wire, "PIECE_BYTES", 4)
    text = f"it is {CARD}.".encode()
    half = len(text) // 2
    for frames in (
        [*begun(), *said((0, text[:half]), (half, text[half:]))],
        [*begun(), tcp(TAP, SITE, FIRST + 1, text)],
        [*begun(), *said((0, bytes(len(text))), (0, text))],
        [ipv4(UDP, SITE[0], ELSEWHERE[0], text)],
    ):
        assert told(frames, [])[1] == {0}
    assert told([*begun(), *said((0, b"it is 6011 1238 9160 6094."))], [])[1] == set()


def test_a_capture_is_read_as_it_was_written_and_one_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file, path = BytesIO(), tmp_path / "cable.pcap"
    file.write(egress_wire.FILE_HEAD)
    for frame in (b"one", b"another"):
        egress_wire.write_frame(file, frame, 1.5)
    path.write_bytes(file.getvalue())
    assert list(egress_wire.frames(path)) == [b"one", b"another"]
    for cut in (1, len(b"another") + 1):
        path.write_bytes(file.getvalue()[:-cut])
        with pytest.raises(ValueError, match="cut off"):
            list(egress_wire.frames(path))
