"""What a language model is asked, and which one: plain data that the turn, the guard of text and the engines share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from models.detect.detector import Finding


class Provider(StrEnum):
    """Whose language model writes; the names are in metrics."""

    OWN = "own"
    """The worker of this machine."""
    LAN = "lan"
    """A server of the site's own network."""
    CLOUD = "cloud"
    """The control plane's: overflow."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a turn's own pass found in exactly `text`, with names and all.

    version  of the detector, before the pass and after it
    at_s     `time.monotonic()` before the pass
    """

    text: str = field(repr=False)
    finding: Finding
    version: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that stands in a message as it is. `published`: the program's own words, or a public document's. `looked`:
    what was found in the words that it was made of, which may be others."""

    text: str = field(repr=False)
    published: bool = False
    looked: Looked | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What one role says: pieces, with nothing between them."""

    role: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """As a model reads it."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Begun:
    """Another provider writes from here on, from the answer's beginning; what came before is not a whole answer."""

    provider: Provider


class Generator(Protocol):
    """One provider's language model, as a turn asks it."""

    @property
    def ready(self) -> bool:
        """True when a request would be taken on."""

    @property
    def first_text_s(self) -> float:
        """Predicted seconds until the first text of one more answer, were it asked now."""

    def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str
    ) -> AsyncGenerator[str | Begun, None]:
        """Pieces of text as they come; `Begun` where it starts anew by itself.

        `about`: the session that it is for, where that must be written down. Closing it stops it. Raises PosternError
        when the answer cannot be finished; what came before is then not a whole answer.
        """
