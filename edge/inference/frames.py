"""Frames on the worker's socket: a 4-byte big-endian length, then one protobuf message. Says nothing of meaning."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from core.errors import PosternError

FRAME_BYTES_MAX: Final = 1 << 20
"""Part of the protocol: a prompt for 2,048 tokens is some 10 kB, and nobody may make the other side allocate more."""

_LENGTH: Final = struct.Struct(">I")
_CREDENTIALS: Final = struct.Struct("iII")
"""struct ucred of Linux: pid, uid, gid."""

M = TypeVar("M", bound=Message)


class BadWorkerFrame(PosternError):
    """What came over the socket is not a frame of this protocol."""

    code = "bad_worker_frame"
    title = "Node and worker do not understand each other"
    remedy = "Restart the site's processes: node and worker must be of the same release."


async def read_frame(reader: asyncio.StreamReader, kind: type[M]) -> M | None:
    """The next message; None at the end of the stream, in the middle of a frame or not. Raises BadWorkerFrame."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if length > FRAME_BYTES_MAX:
            raise BadWorkerFrame(f"A frame of {length} bytes is longer than {FRAME_BYTES_MAX}.")
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    message = kind()
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise BadWorkerFrame("A frame is not a message.") from None
    return message


def frame(message: Message) -> bytes:
    """A message as bytes for the wire. Raises BadWorkerFrame when it is too long."""
    body = message.SerializeToString()
    if len(body) > FRAME_BYTES_MAX:
        raise BadWorkerFrame(f"A frame of {len(body)} bytes is longer than {FRAME_BYTES_MAX}.")
    return _LENGTH.pack(len(body)) + body


def peer_uid(writer: asyncio.StreamWriter) -> int:
    """User of the process at the other end, as the kernel says (SO_PEERCRED)."""
    data = writer.get_extra_info("socket").getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
    )
    _, uid, _ = _CREDENTIALS.unpack(data)
    return int(uid)
