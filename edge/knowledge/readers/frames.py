"""What the node and the process that reads for it say to each other: lengths, bytes, and a document as JSON.

Both ends are ours; still nothing is trusted that came out of a reader: it may have been taken over by a file. So the
answer has a limit, and is data only.
"""

from __future__ import annotations

import json
import struct
from typing import IO

from edge.knowledge.document import Block, Document
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument

# Largest frame, bytes: the text of a document at its limit, every character escaped, and more.
FRAME_BYTES_MAX = 96 * 1024 * 1024
_LENGTH = struct.Struct(">I")


class Ended(Exception):
    """The other end closed, or said more than a frame may hold."""


def write_frame(stream: IO[bytes], data: bytes) -> None:
    """One frame. Raises BrokenPipeError."""
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_frame(stream: IO[bytes]) -> bytes:
    """The next frame. Raises Ended."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise Ended
    (length,) = _LENGTH.unpack(head)
    if length > FRAME_BYTES_MAX:
        raise Ended
    data = stream.read(length)
    if len(data) < length:
        raise Ended
    return data


def pack_document(document: Document) -> bytes:
    """A document that was read."""
    blocks = [[list(block.headings), block.text] for block in document.blocks]
    return json.dumps({"title": document.title, "type": document.media_type, "blocks": blocks}).encode()


def pack_refusal(error: UnreadableDocument) -> bytes:
    """Why a document was not read."""
    return json.dumps({"refusal": error.refusal.value, "detail": error.detail}).encode()


def unpack(data: bytes) -> Document:
    """What a reader found. Raises UnreadableDocument, and Ended for what is no answer."""
    try:
        found = json.loads(data)
        if "refusal" in found:
            raise UnreadableDocument(Refusal(found["refusal"]), str(found["detail"]))
        blocks = tuple(Block(tuple(map(str, headings)), str(text)) for headings, text in found["blocks"])
        return Document(str(found["title"]), blocks, str(found["type"]))
    except (ValueError, TypeError, KeyError):
        raise Ended from None
