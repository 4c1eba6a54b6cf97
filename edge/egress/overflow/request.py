"""Text that the guard lets out, as bytes of the protocol (GenerateRequest), and what the protocol allows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from edge.egress.overflow.order import MESSAGES_MAX, NEW_TOKENS_MAX, ROLES
from edge.egress.text.handover import Handover, Source
from postern.v1 import overflow_pb2


def fits(asked: Handover) -> bool:
    """Whether the protocol has a form for it. A role is no text that was looked at, so only the known ones pass."""
    return (
        0 < len(asked.spoken) <= MESSAGES_MAX
        and all(role in ROLES and count > 0 for role, count in asked.spoken)
        and sum(count for _, count in asked.spoken) == len(asked.parts)
        and 0 < asked.max_new_tokens <= NEW_TOKENS_MAX
    )


def packed(asked: Handover, texts: Sequence[str]) -> bytes:
    """A serialised GenerateRequest: what `fits`, each part as it may go (`texts`)."""
    request = overflow_pb2.GenerateRequest(
        max_new_tokens=asked.max_new_tokens, patience_ms=round(1000 * asked.patience_s)
    )
    pieces = iter(zip(asked.parts, texts, strict=True))
    for role, count in asked.spoken:
        message = request.messages.add(role=role)
        for part, text in (next(pieces) for _ in range(count)):
            message.pieces.add(text=text, published=part.source is Source.PUBLIC)
    return request.SerializeToString()
