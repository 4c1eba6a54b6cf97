"""PDF, by pypdf: lines with their sizes become paragraphs and headings; what repeats on every page is dropped.

No text recognition: a scanned page is refused with what to do about it. No layout of columns beyond the order in
which the file writes its text.
"""

from __future__ import annotations

import io
import itertools
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

from edge.knowledge.document import Document
from edge.knowledge.readers.outline import Outline
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument

MEDIA_TYPE = "application/pdf"
PAGES_MAX = 2_000
# A line is a heading when its letters are this much larger than the body's, or bold where the body is not.
HEADING_RATIO = 1.12
HEADING_CHARS_MAX = 120
# A gap larger than this many times the usual distance of lines starts a paragraph.
PARAGRAPH_GAP_RATIO = 1.35
# A line at the edge of this share of the pages (two at least), numbers aside, is a header or footer.
RUNNING_SHARE = 0.5
RUNNING_PAGES_MIN = 2
# Lines at the top and at the bottom of a page that may be such.
EDGE_LINES = 2
_ITEM = re.compile(r"(?:[•◦▪‣·–*-]|\(?\d{1,3}[.)])\s+\S")
# "7", "7 / 12", "… page 7", "… Page 7 of 12" at the edge of a page.
_PAGE_NUMBER = re.compile(r"^(?:.{0,80}\bpage\s)?\d{1,4}(?:\s*(?:/|of)\s*\d{1,4})?$", re.I)
# How bullets of fonts without a map to Unicode come out.
_STRAY_BULLETS = str.maketrans(dict.fromkeys("\x7f\uf0b7\uf0a7", "•"))
_BULLET = re.compile(r"^[•◦▪‣·]\s*")


@dataclass(slots=True)
class _Line:
    page: int
    y: float
    x: float
    size: float
    bold: bool
    text: str


def read(data: bytes, name: str) -> Document:
    """A PDF with a text layer. Raises UnreadableDocument when it is damaged, encrypted or scanned."""
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument(Refusal.ENCRYPTED, "The PDF is protected by a password.")
        if len(reader.pages) > PAGES_MAX:
            raise UnreadableDocument(
                Refusal.TOO_LARGE, f"It has {len(reader.pages)} pages; {PAGES_MAX} is the most."
            )
        lines = [line for number, page in enumerate(reader.pages) for line in _lines(page, number)]
        title = str(reader.metadata.title or "") if reader.metadata else ""
        pages = len(reader.pages)
        pictures = not lines and any("/XObject" in (page.get("/Resources") or {}) for page in reader.pages)
    except UnreadableDocument:
        raise
    except LimitReachedError:  # pypdf's own bound on what one stream unpacks to
        raise UnreadableDocument(Refusal.TOO_LARGE, "A part of it unpacks to more than 75 MB.") from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError, OSError):
        raise UnreadableDocument(Refusal.DAMAGED, "The PDF is damaged.") from None
    if pictures:
        raise UnreadableDocument(Refusal.SCANNED, "The PDF holds pictures of pages, but no text.")
    return _outline(_without_running(lines, pages), name, title)


def _lines(page: PageObject, number: int) -> list[_Line]:
    """The text of a page by line, each with the size that most of its letters have."""
    lines: list[_Line] = []

    def visit(text: str, cm: list[float], tm: list[float], font: dict[str, Any] | None, size: float) -> None:
        if not text.strip():
            return
        scale = abs(tm[3] or tm[0]) * abs(cm[3] or cm[0] or 1.0) or 1.0
        x = tm[4] * cm[0] + cm[4]
        y = tm[5] * cm[3] + cm[5]
        bold = "bold" in str((font or {}).get("/BaseFont", "")).lower()
        for part in text.translate(_STRAY_BULLETS).split("\n"):
            _append(lines, _Line(number, y, x, round(size * scale, 1), bold, part))

    page.extract_text(visitor_text=visit)
    return [line for line in lines if line.text.strip()]


def _append(lines: list[_Line], piece: _Line) -> None:
    if lines and abs(lines[-1].y - piece.y) < 1.0 and piece.text.strip():
        last = lines[-1]
        glue = "" if last.text.endswith(" ") or piece.text.startswith(" ") else " "
        if last.bold and not piece.bold:
            last.bold = False
        last.text += (glue if piece.x > last.x and glue else "") + piece.text
    elif piece.text.strip():
        lines.append(piece)


def _without_running(lines: list[_Line], pages: int) -> list[_Line]:
    """Without headers and footers: what stands at the edge of most pages, numbers aside."""
    edges = _edges(lines)
    on_pages = Counter(_numberless(line.text) for line in edges)
    enough = max(RUNNING_PAGES_MIN, pages * RUNNING_SHARE)
    running = {
        id(line)
        for line in edges
        if on_pages[_numberless(line.text)] >= enough or _PAGE_NUMBER.search(line.text.strip())
    }
    return [line for line in lines if id(line) not in running]


def _edges(lines: list[_Line]) -> list[_Line]:
    """The highest and lowest lines of each page."""
    edges: list[_Line] = []
    for _, page in itertools.groupby(lines, key=lambda line: line.page):
        ordered = sorted(page, key=lambda line: line.y)
        edges += ordered[:EDGE_LINES] + ordered[max(EDGE_LINES, len(ordered) - EDGE_LINES) :]
    return edges


def _numberless(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.split()))


def _outline(lines: list[_Line], name: str, title: str) -> Document:
    outline = Outline(MEDIA_TYPE, name, title if _is_title(title, lines) else "")
    weights: Counter[tuple[float, bool]] = Counter()
    for line in lines:
        weights[line.size, line.bold] += len(line.text)
    body_size, body_bold = weights.most_common(1)[0][0] if weights else (0.0, False)
    levels = _levels([line for line in lines if _is_heading(line, body_size, body_bold)])
    for group in _paragraphs(lines, body_size, body_bold):
        text = _join([line.text for line in group])
        if _is_heading(group[0], body_size, body_bold) and len(text) <= HEADING_CHARS_MAX:
            outline.heading(levels[group[0].size, group[0].bold], text)
        else:
            outline.add(_BULLET.sub("- ", text))
    return outline.document()


def _is_title(title: str, lines: list[_Line]) -> bool:
    """A PDF's own title is often a file name or "untitled": believe it only when the text says it, too."""
    words = " ".join(title.split())
    return bool(words) and words in " ".join(" ".join(line.text.split()) for line in lines[:20])


def _is_heading(line: _Line, body_size: float, body_bold: bool) -> bool:
    text = line.text.strip()
    if len(text) > HEADING_CHARS_MAX or not any(c.isalpha() for c in text):
        return False
    if line.size >= body_size * HEADING_RATIO:
        return True
    return (
        line.bold and not body_bold and line.size >= body_size * 0.95 and not text.endswith((".", ";", ","))
    )


def _levels(headings: list[_Line]) -> dict[tuple[float, bool], int]:
    """Larger is higher; at equal size bold is."""
    styles = sorted({(line.size, line.bold) for line in headings}, reverse=True)
    return {style: level for level, style in enumerate(styles, 1)}


def _paragraphs(lines: list[_Line], body_size: float, body_bold: bool) -> list[list[_Line]]:
    """Lines that belong together: same style, usual distance, no new list item."""
    gaps = Counter(
        round(a.y - b.y) for a, b in itertools.pairwise(lines) if a.page == b.page and 0 < a.y - b.y < 60
    )
    usual = gaps.most_common(1)[0][0] if gaps else body_size * 1.2
    groups: list[list[_Line]] = []
    for line in lines:
        if groups and _continues(groups[-1][-1], line, usual, body_size, body_bold):
            groups[-1].append(line)
        else:
            groups.append([line])
    return groups


def _continues(last: _Line, line: _Line, usual: float, body_size: float, body_bold: bool) -> bool:
    heading = _is_heading(line, body_size, body_bold)
    if heading != _is_heading(last, body_size, body_bold) or _ITEM.match(line.text.strip()):
        return False
    if heading and (last.size, last.bold) != (line.size, line.bold):
        return False
    if last.page != line.page:  # a sentence that runs over the page's end
        return not heading and not last.text.rstrip().endswith((".", "!", "?", ":"))
    spacing = max(usual, line.size * 1.25)
    return 0 <= last.y - line.y <= spacing * PARAGRAPH_GAP_RATIO


def _join(lines: list[str]) -> str:
    """Lines as one; a word that was hyphenated at the line's end keeps its hyphen and loses the space."""
    text = ""
    for line in lines:
        part = line.strip()
        if text.endswith("-") and len(text) > 1 and text[-2].isalpha() and part[:1].islower():
            text += part
        else:
            text = f"{text} {part}" if text else part
    return text
