"""The bench's capture at the cable holds all that a tap receives, to the byte, and whatever else crosses."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from tests.bench import egress_cable
from tests.bench.egress_search import Search
from tests.bench.egress_wire import Address, Connection, Wire, frames
from tests.integration.egress.cable import RESOLVER, WAIT_S, needs_namespaces

pytestmark = needs_namespaces

CARD = "6011 1228 9060 6094"
# More than fits a frame.
SIZE = 500_000


def test_what_crosses_is_captured_whole_and_nothing_else_may(tmp_path: Path) -> None:
    with egress_cable.laid(tmp_path) as line:
        assert line is not None
        listener = line.listener()
        at: Address = listener.getsockname()
        words = CARD.encode() + bytes(range(256)) * (SIZE // 256)
        with listener, line.at_couriers(lambda: socket.create_connection(at, WAIT_S)) as courier:
            heard = _carried(listener, courier, words)
        with line.at_couriers(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as names:
            names.sendto(b"who is it?", (RESOLVER, 53))
        dropped = line.end()
        assert dropped == 0
        found, canaries = _told(line.capture, at, heard, dropped)
        assert found["payload_up_bytes"] == len(words)
        # The other end's kernel answers that nobody is there.
        asked, answered = sorted(found["strangers"], reverse=True)
        assert asked == f"IP's protocol 17 to {RESOLVER} port 53"
        assert answered.startswith("IP's protocol 1 to ")
        assert len(found["problems"]) == 2
        assert canaries == {0}
        heard.up.feed(b"a byte more")
        assert len(_told(line.capture, at, heard, dropped)[0]["problems"]) == 3


def _carried(listener: socket.socket, courier: socket.socket, words: bytes) -> Connection:
    """What a tap heard of them, and answered."""
    taken, site = listener.accept()
    heard = Connection(site, listener.getsockname())
    with taken:
        courier.setblocking(False)
        sent = 0
        while sent < len(words):
            try:
                sent += courier.send(words[sent:])
            except BlockingIOError:
                heard.up.feed(taken.recv(1 << 20))
        courier.shutdown(socket.SHUT_WR)
        while piece := taken.recv(1 << 20):
            heard.up.feed(piece)
        taken.sendall(b"well heard")
        heard.down.feed(b"well heard")
    courier.settimeout(WAIT_S)
    while courier.recv(100):
        pass
    return heard


def _told(capture: Path, at: Address, heard: Connection, dropped: int) -> tuple[dict[str, Any], set[int]]:
    search = Search()
    search.add(CARD)
    wire = Wire({at}, {"canaries": search})
    for frame in frames(capture):
        wire.take(frame)
    return wire.told([heard], dropped), wire.looking.found["canaries"]
