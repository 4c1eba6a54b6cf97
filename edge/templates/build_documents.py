"""Renders the sample sites' sources (Markdown) to the DOCX, PDF and HTML files that a real site would have.

A tool for whoever edits a sample document, not a part of the node: the rendered files are committed, and nothing at
run time imports this or reportlab. The folder of a source names its site and format: `sources/bank/pdf/x.md`
becomes `bank/documents/public/x.pdf`. Output depends on the sources alone, so that a second run changes no byte.

Usage, from the repository root: `python edge/templates/build_documents.py`
"""

from __future__ import annotations

import io
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import docx
from markdown_it import MarkdownIt
from reportlab import platypus  # type: ignore[import-untyped, import-not-found, unused-ignore]
from reportlab.lib import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    colors,
    pagesizes,
    styles,
    units,
)

HERE = Path(__file__).resolve().parent
# Fixed, because a build must not depend on its day.
BUILT_AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ZIP_TIME = (2026, 3, 1, 9, 0, 0)

# Points. Headings differ clearly from the text, so that a reader of the PDF can tell them by size.
BODY_PT, SECTION_PT, TITLE_PT = 10.5, 14.0, 21.0
MARGIN = 22 * units.mm
FOOTER_HEIGHT = 12 * units.mm
INK = colors.HexColor("#17324d")


@dataclass(frozen=True)
class Heading:
    """A line that names what follows; level 1 is the document's title."""

    level: int
    text: str


@dataclass(frozen=True)
class Prose:
    """One paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table; its first row is the header."""

    rows: tuple[tuple[str, ...], ...]


Block = Heading | Prose | Grid


@dataclass(frozen=True)
class Leaflet:
    """One source: its content, its own name, and the site that publishes it (`page` frames its web pages)."""

    blocks: list[Block]
    name: str
    site_name: str
    page: Template

    @property
    def title(self) -> str:
        return next(block.text for block in self.blocks if isinstance(block, Heading))


def read_blocks(markdown: str) -> list[Block]:
    """The blocks of a source, in order. Sources use headings, paragraphs and tables, and no inline mark-up."""
    blocks: list[Block] = []
    rows: list[tuple[str, ...]] = []
    cells: list[str] = []
    inside = ""
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type in {"heading_open", "paragraph_open"}:
            inside = token.tag
        elif token.type == "table_open":
            inside, rows = "table", []
        elif token.type == "tr_open":
            cells = []
        elif token.type == "tr_close":
            rows.append(tuple(cells))
        elif token.type == "table_close":
            blocks.append(Grid(tuple(rows)))
        elif token.type == "inline" and inside == "table":
            cells.append(token.content)
        elif token.type == "inline":
            text = " ".join(token.content.split())
            blocks.append(Prose(text) if inside == "p" else Heading(int(inside[1:]), text))
    return blocks


def render_docx(leaflet: Leaflet) -> bytes:
    """A Word document with real heading styles and tables."""
    document = docx.Document()
    properties = document.core_properties
    properties.title, properties.author = leaflet.title, leaflet.site_name
    properties.created = properties.modified = BUILT_AT.replace(tzinfo=None)
    document.sections[0].footer.paragraphs[0].text = f"{leaflet.site_name} · {leaflet.name}"
    for block in leaflet.blocks:
        if isinstance(block, Heading):
            document.add_heading(block.text, level=block.level)
        elif isinstance(block, Prose):
            document.add_paragraph(block.text)
        else:
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Light Grid Accent 1")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
    raw = io.BytesIO()
    document.save(raw)
    return _with_fixed_times(raw.getvalue())


def _with_fixed_times(archive: bytes) -> bytes:
    """The same ZIP archive with one time for all members."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(result, "w") as new:
        for member in old.namelist():
            info = zipfile.ZipInfo(member, ZIP_TIME)
            new.writestr(info, old.read(member), compress_type=zipfile.ZIP_DEFLATED)
    return result.getvalue()


def render_pdf(leaflet: Leaflet) -> bytes:
    """A printed leaflet: A4, headings in larger type, a footer with the leaflet's name and the page."""
    raw = io.BytesIO()
    paper = platypus.SimpleDocTemplate(
        raw, pagesize=pagesizes.A4, leftMargin=MARGIN, rightMargin=MARGIN, topMargin=MARGIN, bottomMargin=MARGIN,
        title=leaflet.title, author=leaflet.site_name, lang="en-GB", invariant=1,
    )  # fmt: skip

    def footer(canvas: Any, _: object) -> None:
        canvas.setFont("Helvetica", 8)
        page = f"{leaflet.site_name} · {leaflet.name} · page {canvas.getPageNumber()}"
        canvas.drawString(MARGIN, FOOTER_HEIGHT, page)

    story = [_together(section) for section in _sections(leaflet.blocks)]
    paper.build(story, onFirstPage=footer, onLaterPages=footer)
    return raw.getvalue()


def _sections(blocks: list[Block]) -> list[list[Block]]:
    """The blocks in groups, each of which starts with a heading."""
    sections: list[list[Block]] = []
    for block in blocks:
        if isinstance(block, Heading):
            sections.append([])
        sections[-1].append(block)
    return sections


def _together(section: list[Block]) -> Any:
    # On one page, so that no footer stands inside a sentence when the text is taken out again.
    return platypus.KeepTogether([_flow(block) for block in section])


def _flow(block: Block) -> Any:
    body = styles.ParagraphStyle("body", fontName="Helvetica", fontSize=BODY_PT, leading=15, spaceAfter=6)
    if isinstance(block, Prose):
        return platypus.Paragraph(escape(block.text), body)
    if isinstance(block, Heading):
        size = TITLE_PT if block.level == 1 else SECTION_PT
        style = styles.ParagraphStyle(
            "heading", parent=body, fontName="Helvetica-Bold", fontSize=size, leading=size * 1.25,
            spaceBefore=8, textColor=INK,
        )  # fmt: skip
        return platypus.Paragraph(escape(block.text), style)
    cell = styles.ParagraphStyle("cell", parent=body, spaceAfter=0)
    rows = [[platypus.Paragraph(escape(text), cell) for text in row] for row in block.rows]
    table = platypus.Table(rows, spaceAfter=8)
    everywhere, header = ((0, 0), (-1, -1)), ((0, 0), (-1, 0))
    table.setStyle([("GRID", *everywhere, 0.5, colors.grey), ("BACKGROUND", *header, colors.whitesmoke)])
    return table


def render_html(leaflet: Leaflet) -> bytes:
    """A page of the site's own web pages: with the navigation and footer that every page repeats."""
    body = "\n".join(_element(block) for block in leaflet.blocks)
    return leaflet.page.substitute(title=escape(leaflet.title), body=body, name=leaflet.name).encode()


def _element(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Prose):
        return f"<p>{escape(block.text)}</p>"
    head, *rows = block.rows
    return "\n".join(["<table>", _row(head, "th"), *(_row(row, "td") for row in rows), "</table>"])


def _row(cells: tuple[str, ...], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in cells) + "</tr>"


RENDERERS: dict[str, Callable[[Leaflet], bytes]] = {
    "docx": render_docx,
    "pdf": render_pdf,
    "html": render_html,
}


def build(site: str) -> list[Path]:
    """Render every source of a sample site into its public documents; returns the files written."""
    sources, documents = HERE / "sources" / site, HERE / site / "documents" / "public"
    settings = tomllib.loads((HERE / site / "site.toml").read_text(encoding="utf-8"))
    page = Template((sources / "html" / "page.html").read_text(encoding="utf-8"))
    written = []
    for extension, render in RENDERERS.items():
        for source in sorted((sources / extension).glob("*.md")):
            blocks = read_blocks(source.read_text(encoding="utf-8"))
            target = documents / f"{source.stem}.{extension}"
            target.write_bytes(render(Leaflet(blocks, source.stem, settings["site"]["name"], page)))
            written.append(target)
    return written


if __name__ == "__main__":
    for folder in sorted((HERE / "sources").iterdir()):
        build(folder.name)
