"""What a text that is to be answered looks like, as the courier checks it before it goes. No I/O.

What its words may be is the text guard's to say.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from edge.egress.envelope import Envelope, Purpose
from postern.v1 import overflow_pb2

GENERATE: Final = "generate"
MESSAGES_MAX: Final = 16
NEW_TOKENS_MAX: Final = 1024
ROLES: Final = frozenset({"system", "user", "assistant"})


def inner_refusal_of(envelope: Envelope) -> str:
    """Why an envelope whose seal holds may not go out as a text, or "" if it may."""
    if envelope.purpose is not Purpose.OVERFLOW or envelope.kind != GENERATE:
        return "kind"
    if envelope.rows:
        return "rows"
    try:
        request = overflow_pb2.GenerateRequest.FromString(envelope.payload)
    except DecodeError:
        return "kind"
    roles = {message.role for message in request.messages}
    if not roles or not roles <= ROLES:
        return "kind"
    fits = len(request.messages) <= MESSAGES_MAX and 1 <= request.max_new_tokens <= NEW_TOKENS_MAX
    return "" if fits else "size"
