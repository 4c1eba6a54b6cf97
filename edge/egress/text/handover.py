"""Text on its way to the guard and from it, as frozen values. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from core.errors import RefusedByPolicy
from edge.egress.envelope import Envelope
from edge.inference.conversation import Looked, Message
from edge.privacy.policy import Documents, Purpose
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from models.detect.detector import Finding


class Source(StrEnum):
    """Whose words a part is."""

    CUSTOMER = "customer"
    PUBLIC = "public"
    """Of a public document, or the program's own."""
    STAFF = "staff"
    """Of a document for staff: counts as a customer's words."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the text. `looked`: what a turn found in the words that it was made of."""

    text: str = field(repr=False)
    source: Source
    looked: Looked | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Handover:
    """What should be handed on, for one conversation."""

    purpose: Purpose
    session: str
    parts: tuple[Part, ...]
    documents: Documents = Documents.NONE
    """Whose documents have passages among the parts; in a conversation of staff, the staff's."""
    spoken: tuple[tuple[str, int], ...] = ()
    """Of each message its role, and how many of the parts are its own, in order; for what leaves the site."""
    max_new_tokens: int = 0
    """Of the answer; for what leaves the site."""
    patience_s: float = 0.0
    """How long its first text may take, and the next; 0: not said."""

    @classmethod
    def of(
        cls,
        purpose: Purpose,
        session: str,
        messages: Sequence[Message],
        *,
        max_new_tokens: int,
        patience_s: float = 0.0,
    ) -> Handover:
        """Messages with passages of public documents among them."""
        spoken = tuple((message.role, len(message.pieces)) for message in messages)
        return cls(purpose, session, parts_of(messages), Documents.PUBLIC, spoken, max_new_tokens, patience_s)


@dataclass(frozen=True, slots=True)
class TextRefusal:
    """Why nothing goes, as a short code, and the line of the policy where that is the reason."""

    reason: str
    rule: str = ""


def parts_of(messages: Sequence[Message]) -> tuple[Part, ...]:
    """What the guard is shown of messages: a part a piece. What nobody published may hold a customer's words."""
    return tuple(
        Part(piece.text, Source.PUBLIC if piece.published else Source.CUSTOMER, piece.looked)
        for message in messages
        for piece in message.pieces
    )


def texts_of(messages: Sequence[Message], parts: Sequence[str]) -> list[tuple[str, str]]:
    """(role, text) of each message, from the parts as they may go."""
    left = iter(parts)
    return [(message.role, "".join(next(left) for _ in message.pieces)) for message in messages]


class Scans(Protocol):
    """See `edge.privacy.scanning.Scanner`."""

    async def scan_all(self, texts: Sequence[str], *, deadline_s: float | None) -> Sequence[Finding]: ...


class TextRefused(RefusedByPolicy):
    """The guard did not let a text be handed on."""

    code = "text_refused"
    title = "This text is not handed on"
    remedy = "What the site's policy says: postern privacy policy show. What the guard refused: its metrics."


@dataclass(frozen=True, slots=True)
class Admitted:
    """What may go: the parts as they go, sealed where they leave the site."""

    parts: tuple[str, ...] = field(repr=False)
    envelope: Envelope | None
    pseudonyms: Pseudonyms | None
    """Restores the answer; None where nothing was replaced."""
