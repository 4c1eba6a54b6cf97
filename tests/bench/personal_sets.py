"""Sentences with personal data marked by hand, and ordinary ones without: what detection is measured on.

Nothing is fitted on them. A line of a marked set is `shape: text`, with `[[TYPE|value]]` around each value and a new
line as the two characters `\\n`; the lines under `# origin` have names of that origin, those under `# none` have none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "golden" / "personal"
LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl")
# The sets without personal data: questions at front desks, and sentences with the numbers of a business.
BENIGN = "benign_en"
BUSINESS = "business_en"
_MARK = re.compile(r"\[\[([A-Z_]+)\|(.+?)\]\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`spans`: (type, start, end) in code points of `text`. `origin`: of the names in it, or "none"."""

    text: str
    spans: tuple[tuple[str, int, int], ...]
    language: str
    origin: str
    shape: str


@cache
def sentences(language: str) -> tuple[Sentence, ...]:
    """The marked sentences in a language."""
    found: list[Sentence] = []
    origin = ""
    for line in _lines(language):
        if line.startswith("# "):
            origin = line[2:]
            continue
        shape, _, marked = line.partition(": ")
        text, spans = unmark(marked.replace("\\n", "\n"))
        found.append(Sentence(text, spans, language, origin, shape))
    return tuple(found)


@cache
def ordinary(name: str) -> tuple[str, ...]:
    """The sentences of `BENIGN` or `BUSINESS`."""
    return tuple(line for line in _lines(name) if not line.startswith("# "))


def unmark(marked: str) -> tuple[str, tuple[tuple[str, int, int], ...]]:
    """The text without its marks, and the spans that they marked."""
    text, spans, position = "", [], 0
    for mark in _MARK.finditer(marked):
        text += marked[position : mark.start()]
        spans.append((mark[1], len(text), len(text) + len(mark[2])))
        text += mark[2]
        position = mark.end()
    return text + marked[position:], tuple(spans)


def _lines(name: str) -> list[str]:
    return [line for line in (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines() if line]
