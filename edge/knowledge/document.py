"""What a document is once it has been read, and what it is cut into. Values only: no reading, no rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

# Between the headings of a section's path, as people see it: "Fees › Private patients".
PATH_SEPARATOR = " › "


class Audience(StrEnum):
    """Who may be answered from a document. Staff may also be answered from what is public."""

    PUBLIC = "public"
    STAFF = "staff"

    @property
    def sees(self) -> tuple[Audience, ...]:
        """Whose documents it is answered from."""
        return (Audience.PUBLIC,) if self is Audience.PUBLIC else (Audience.PUBLIC, Audience.STAFF)


class State(StrEnum):
    """Where a document is in its life. Only an approved one answers."""

    DRAFT = "draft"
    APPROVED = "approved"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Validity:
    """When a document answers: from `from_ms` on and before `until_ms`, milliseconds since the epoch; None is open."""

    from_ms: int | None = None
    until_ms: int | None = None

    def holds(self, at_ms: int) -> bool:
        """Whether a moment is within."""
        begun = self.from_ms is None or self.from_ms <= at_ms
        return begun and (self.until_ms is None or at_ms < self.until_ms)

    def bounds(self) -> tuple[int, ...]:
        """The moments at which it begins or ends to hold."""
        return tuple(bound for bound in (self.from_ms, self.until_ms) if bound is not None)


ALWAYS = Validity()


@dataclass(frozen=True, slots=True)
class Metadata:
    """What staff say about a document, apart from its text."""

    audience: Audience = Audience.PUBLIC
    owner: str = ""
    state: State = State.APPROVED
    valid: Validity = ALWAYS


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item or table row, without line breaks, under its headings (the title is not among them)."""

    headings: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A document as its reader understood it."""

    title: str
    blocks: tuple[Block, ...]
    media_type: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is embedded, indexed and quoted: whole sentences of one section."""

    ordinal: int
    section: str
    text: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found for a query.

    `score` is comparable within one result only; `lexical` is the BM25 score (0.0 when that leg did not find it);
    `cosine` is between -1 and 1 (0.0 when no embedding was given); `signature`: what its sentences hold
    (`signature.sentences`).
    """

    chunk_id: int
    doc: str
    version: int
    title: str
    section: str
    text: str
    score: float
    lexical: float
    cosine: float
    signature: bytes = field(repr=False)

    @property
    def place(self) -> str:
        """Title and headings, as words."""
        return f"{self.title} {self.section}"
