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
# Unpacked XML at most, bytes: a small archive that unpacks to gigabytes would take the node's memory.
XML_BYTES_MAX = 100 * 1024 * 1024
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
            xml = sum(
                item.file_size for item in archive.infolist() if item.filename.endswith((".xml", ".rels"))
            )
            if xml > XML_BYTES_MAX:
                raise UnreadableDocument(Refusal.TOO_LARGE, f"It unpacks to {xml / 2**20:.0f} MB of text.")
            if archive.testzip() is not None:
                raise _damaged()
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
        raise _damaged() from None
    except Exception as error:
        if isinstance(error, UnreadableDocument):
            raise
        raise _damaged() from None  # zlib.error and the like


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
