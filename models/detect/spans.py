"""What a detector finds, and a text without it. Pure: no I/O, no clock."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A personal value in a text; `start` and `end` are code points into the text as given."""

    type: str
    start: int
    end: int
    score: float


def in_word(sign: str) -> bool:
    """Letters, digits, and the marks that stand on them: an accent may be a character of its own."""
    return sign.isalnum() or unicodedata.category(sign)[0] == "M"


def redact(text: str, spans: Iterable[Span]) -> str:
    """The text with each span replaced by its type in brackets."""
    parts: list[str] = []
    position = 0
    for span in spans:
        parts += [text[position : span.start], f"[{span.type}]"]
        position = span.end
    return "".join([*parts, text[position:]])
