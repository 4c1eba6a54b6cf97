"""Unix sockets between the processes of one machine: who is at the other end, and one message a frame.

A frame is a 4-byte big-endian length, then one protobuf message. Says nothing of what the messages mean.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from time import monotonic
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from core.errors import PosternError

# Part of the protocols: an envelope holds at most 1,000,000 bytes, and nobody may make the other side allocate more.
FRAME_BYTES_MAX = 1 << 20
_LENGTH = struct.Struct(">I")
_CREDENTIALS = struct.Struct("iII")  # struct ucred of Linux: pid, uid, gid

M = TypeVar("M", bound=Message)


class BadFrame(PosternError):
    """What came over the socket is not a frame."""

    code = "bad_frame"
    title = "Two processes of this site do not understand each other"
    remedy = "Restart the site's processes: all must be of the same release."


async def read_frame(reader: asyncio.StreamReader, kind: type[M]) -> M | None:
    """The next message, or None at the end of the stream (a frame cut off by it included). Raises BadFrame."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        _check_length(length)
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return _parsed(body, kind)


def receive_frame(sock: socket.socket, kind: type[M], gives_up_at: float | None) -> M:
    """As `read_frame`, blocking, until `monotonic` says `gives_up_at`; None: for ever.

    Raises BadFrame, TimeoutError, or ConnectionError at the end of the stream.
    """
    (length,) = _LENGTH.unpack(_receive(sock, _LENGTH.size, gives_up_at))
    _check_length(length)
    return _parsed(_receive(sock, length, gives_up_at), kind)


def _receive(sock: socket.socket, length: int, gives_up_at: float | None) -> bytes:
    body = bytearray(length)
    rest = memoryview(body)
    while rest:
        set_timeout(sock, gives_up_at)
        received = sock.recv_into(rest)
        if not received:
            raise ConnectionError("the stream has ended")
        rest = rest[received:]
    return bytes(body)


def set_timeout(sock: socket.socket, gives_up_at: float | None) -> None:
    """Of the next call, so that it ends when `monotonic` says `gives_up_at`. Raises TimeoutError if that is past."""
    if gives_up_at is None:
        sock.settimeout(None)
        return
    left_s = gives_up_at - monotonic()
    if left_s <= 0:
        raise TimeoutError
    sock.settimeout(left_s)


def _check_length(length: int) -> None:
    if length > FRAME_BYTES_MAX:
        raise BadFrame(f"A frame of {length} bytes is longer than {FRAME_BYTES_MAX}.")


def _parsed(body: bytes, kind: type[M]) -> M:
    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise BadFrame("A frame is not a message.") from None
    return message


def frame(message: Message) -> bytes:
    """A message as bytes for the wire. Raises BadFrame when it is too long."""
    body = message.SerializeToString()
    _check_length(len(body))
    return _LENGTH.pack(len(body)) + body


def write_frame(writer: asyncio.StreamWriter, message: Message) -> None:
    """Queue a message; await `writer.drain()` to bound what waits. Raises BadFrame when it is too long."""
    writer.write(frame(message))


def peer_uid(transport: asyncio.StreamWriter | asyncio.BaseTransport) -> int:
    """User of the process at the other end (SO_PEERCRED: the kernel says so)."""
    return peer(transport)[1]


def peer(transport: asyncio.StreamWriter | asyncio.BaseTransport) -> tuple[int, int]:
    """Process and user at the other end, as the kernel saw them when it connected."""
    sock: socket.socket = transport.get_extra_info("socket")
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return int(pid), int(uid)


def allowed_uids(root: os.PathLike[str]) -> frozenset[int]:
    """Who may speak on a site's sockets: this process's own user, and the owner of the site's folder `root`."""
    return frozenset({os.getuid(), os.stat(root).st_uid})
