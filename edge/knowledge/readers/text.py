"""Plain text: paragraphs between blank lines, list items, and lines that stand alone as headings."""

from __future__ import annotations

import re

from edge.knowledge.document import Document
from edge.knowledge.readers.outline import Outline
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument

MEDIA_TYPE = "text/plain"
# A line alone between blank lines, no longer than this and without a closing stop, is a heading; code points.
HEADING_CHARS_MAX = 70
_ITEM = re.compile(r"\s*(?:[-*+•◦▪–]|\(?\d{1,3}[.)])\s+")
_UNDERLINE = re.compile(r"^\s*(={3,}|-{3,}|~{3,})\s*$")
_CLOSING = tuple(".!?:;,")


def decode(data: bytes) -> str:
    """Text of a file in UTF-8, UTF-16 with its mark, or Windows-1252. Raises UnreadableDocument."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise UnreadableDocument(Refusal.DAMAGED, "The file is not text in a known encoding.")


def read(data: bytes, name: str) -> Document:
    """A plain-text document."""
    outline = Outline(MEDIA_TYPE, name)
    for paragraph in re.split(r"\n\s*\n", decode(data).replace("\r\n", "\n").replace("\r", "\n")):
        _read_paragraph(outline, [line for line in paragraph.split("\n") if line.strip()])
    return outline.document()


def _read_paragraph(outline: Outline, lines: list[str]) -> None:
    if len(lines) > 1 and _UNDERLINE.match(lines[1]):
        outline.heading(1 if "=" in lines[1] else 2, lines[0])
        lines = lines[2:]
    elif len(lines) == 1 and _is_heading(lines[0]):
        outline.heading(2, lines[0])
        return
    for line in _unwrapped(lines):
        outline.add(line)


def _is_heading(line: str) -> bool:
    text = line.strip()
    return (
        len(text) <= HEADING_CHARS_MAX
        and not text.endswith(_CLOSING)
        and not _ITEM.match(line)
        and text[0].isupper()
    )


def _unwrapped(lines: list[str]) -> list[str]:
    """Lines of a paragraph joined; a list item starts a new one."""
    joined: list[str] = []
    for line in lines:
        if joined and not _ITEM.match(line):
            joined[-1] += " " + line.strip()
        else:
            joined.append(line.strip())
    return joined
