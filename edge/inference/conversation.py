"""What a language model is asked, and which one: plain data that the turn, the guard of text and the engines share."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Provider(StrEnum):
    """Whose language model writes; the names are in metrics."""

    OWN = "own"
    """The worker of this machine."""
    LAN = "lan"
    """A server of the site's own network."""
    CLOUD = "cloud"
    """The control plane's: overflow."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that stands in a message as it is. `published`: the program's own words, or a public document's."""

    text: str = field(repr=False)
    published: bool = False


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
