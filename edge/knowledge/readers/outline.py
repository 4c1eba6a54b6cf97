"""What readers share: headings nest into paths, table rows become lines, a file's name becomes a title.

Pure rules. A reader calls `heading` and `add` in reading order and ends with `document`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from edge.knowledge.document import Block, Document

# A heading longer than this is a paragraph that someone made bold; code points.
HEADING_CHARS_MAX = 160
# Paths deeper than this say less than they cost.
DEPTH_MAX = 4
# Soft hyphens, zero-width characters, controls other than spaces, and surrogates, which no text may hold.
_INVISIBLE = re.compile("[\u00ad\u200b\u200c\u2060\ufeff\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")


class Outline:
    """A document while it is being read."""

    def __init__(self, media_type: str, fallback: str, title: str = "") -> None:
        self._media_type = media_type
        self._fallback = fallback
        self._title = tidy(title)
        self._path: list[tuple[int, str]] = []
        self._blocks: list[Block] = []

    def heading(self, level: int, text: str) -> None:
        """Open a section; the first heading of a document without a title, if nothing came before, is its title."""
        text = tidy(text)
        if not text:
            return
        if len(text) > HEADING_CHARS_MAX:
            self.add(text)
            return
        if not self._blocks and not self._path and (not self._title or text == self._title):
            self._title = text
            return
        while self._path and self._path[-1][0] >= level:
            self._path.pop()
        self._path.append((level, text))

    def add(self, text: str) -> None:
        """One paragraph, list item or table row."""
        text = tidy(text)
        if text:
            headings = tuple(heading for _, heading in self._path[-DEPTH_MAX:])
            self._blocks.append(Block(headings, text))

    def table(self, rows: Sequence[Sequence[str]], has_header: bool) -> None:
        """A table, a line a row, so that each row is understood alone: "Monday – Opens: 8:00; Closes: 18:00"."""
        cells = [[tidy(cell) for cell in row] for row in rows]
        header = cells.pop(0) if has_header and len(cells) > 1 else []
        for row in cells:
            self.add(_row(header, row))

    def document(self) -> Document:
        return Document(self._title or title_from_name(self._fallback), tuple(self._blocks), self._media_type)


def _row(header: list[str], row: list[str]) -> str:
    filled = [cell for cell in row if cell]
    if len(filled) <= 1:
        return filled[0] if filled else ""
    if len(row) == 2:
        return f"{row[0].rstrip(':')}: {row[1]}"
    named = [
        f"{header[place]}: {cell}" if place < len(header) and header[place] else cell
        for place, cell in enumerate(row)
        if place and cell
    ]
    return f"{row[0]} – {'; '.join(named)}" if row[0] else "; ".join(named)


def tidy(text: str) -> str:
    """One line, single spaces; no soft hyphens, zero-width or control characters, no halves of characters."""
    return " ".join(_INVISIBLE.sub("", text).split())


def title_from_name(stem: str) -> str:
    """A title from a file's name: "visiting-hours_2026" becomes "Visiting hours 2026"."""
    words = tidy(re.sub(r"[-_.]+", " ", stem))
    return words[:1].upper() + words[1:] if words else "Untitled"
