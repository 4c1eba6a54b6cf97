"""Word documents (.docx), by python-docx: heading styles, lists, tables in reading order."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any

import docx
from docx.opc.exceptions import PackageNotFoundError
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml.etree import XMLSyntaxError  # type: ignore[import-untyped]

from edge.knowledge.document import Document
from edge.knowledge.readers.outline import Outline
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# Unpacked XML at most, bytes: some 2,000 pages. Reading takes 15 times as much memory.
XML_BYTES_MAX = 20 * 1024 * 1024
# Everything unpacked at most, bytes, pictures included: a small archive can unpack to terabytes.
UNPACKED_BYTES_MAX = 200 * 1024 * 1024
# Parts of the archive at most; a document has one for each picture and some twenty more.
PARTS_MAX = 5_000
# Bit 0 of a part's flags (PKWARE APPNOTE 4.4.4).
ENCRYPTED_FLAG = 1
_HEADING = re.compile(r"heading\s+(\d)", re.I)


def read(data: bytes, name: str) -> Document:
    """A Word document. Raises UnreadableDocument when it is damaged or unpacks to too much."""
    _check_archive(data)
    try:
        package = docx.Document(io.BytesIO(data))
        outline = Outline(MEDIA_TYPE, name)
        for part in package.iter_inner_content():
            if isinstance(part, Table):
                outline.table(_rows(part), has_header=True)
            else:
                _add_paragraph(outline, part)
    except (PackageNotFoundError, KeyError, ValueError, AttributeError, XMLSyntaxError):
        raise _damaged() from None
    return outline.document()


def _check_archive(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(archive.infolist())
            if archive.testzip() is not None:
                raise _damaged()
    except UnreadableDocument:
        raise
    except Exception:  # zipfile and zlib have a dozen; a part that is larger than it says is one of them
        raise _damaged() from None


def _check_sizes(parts: list[zipfile.ZipInfo]) -> None:
    xml = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    unpacked = sum(part.file_size for part in parts)
    for size, most, what in (
        (len(parts), PARTS_MAX, "parts"),
        (xml, XML_BYTES_MAX, "bytes of text and formatting"),
        (unpacked, UNPACKED_BYTES_MAX, "bytes"),
    ):
        if size > most:
            raise UnreadableDocument(
                Refusal.TOO_LARGE, f"It unpacks to {size:,} {what}; {most:,} is the most."
            )
    if any(part.flag_bits & ENCRYPTED_FLAG for part in parts):
        raise UnreadableDocument(Refusal.ENCRYPTED, "The Word document is protected by a password.")


def _damaged() -> UnreadableDocument:
    return UnreadableDocument(Refusal.DAMAGED, "The Word document is damaged.")


def _add_paragraph(outline: Outline, paragraph: Paragraph) -> None:
    style = _style(paragraph)
    heading = _HEADING.match(style)
    if style.lower() == "title":
        outline.heading(0, paragraph.text)
    elif heading:
        outline.heading(int(heading[1]), paragraph.text)
    else:
        marker = "- " if _is_item(paragraph, style) and paragraph.text.strip() else ""
        for line in paragraph.text.split("\n"):
            outline.add(marker + line)
            marker = ""


def _style(paragraph: Paragraph) -> str:
    style: Any = paragraph.style
    return str(style.name or "") if style is not None else ""


def _is_item(paragraph: Paragraph, style: str) -> bool:
    properties: Any = paragraph._p.pPr
    return style.lower().startswith("list") or (properties is not None and properties.numPr is not None)


def _rows(table: Table) -> list[list[str]]:
    """Cells row by row; a merged cell counts once."""
    rows: list[list[str]] = []
    for row in table.rows:
        seen: set[Any] = set()
        cells: list[str] = []
        for cell in row.cells:
            if cell._tc not in seen:
                seen.add(cell._tc)
                cells.append(cell.text)
        rows.append(cells)
    return rows
