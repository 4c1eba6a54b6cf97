"""The load generator's HTTP client: answers that come in pieces, or with the next one's beginning."""

from __future__ import annotations

import asyncio

from tests.bench.chat import Connection


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)


async def test_an_answer_in_pieces_is_whole_when_its_length_has_come() -> None:
    wire, connection = Wire(), Connection()
    connection.connection_made(wire)
    asked = asyncio.ensure_future(connection.request("POST", "/v1/embeddings", "key", {"input": "a"}))
    await asyncio.sleep(0)
    assert b"Authorization: Bearer key\r\n" in wire.sent
    for piece in (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\n", b"bod"):
        connection.data_received(piece)
        assert not asked.done()
    connection.data_received(b"y")
    assert await asked == (200, b"body")
