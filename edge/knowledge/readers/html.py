"""Web pages: trafilatura finds the main text (no menus, footers, cookie notices), its headings and tables stay.

Works on the bytes alone; nothing is fetched.
"""

from __future__ import annotations

from typing import Any

import trafilatura
from lxml import etree, html  # type: ignore[import-untyped]

from edge.knowledge.document import Document
from edge.knowledge.readers.outline import Outline
from edge.knowledge.readers.refusal import Refusal, UnreadableDocument

MEDIA_TYPE = "text/html"
# What never holds the text of a page.
_BOILERPLATE = (
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "button",
    "svg",
    "iframe",
    "dialog",
)
_ROLES = {"navigation", "banner", "contentinfo", "complementary", "search", "dialog", "alertdialog"}
# Where trafilatura keeps less than this share of the words, or of the headings, the page is walked block by block.
WORDS_KEPT_MIN = 0.6
HEADINGS_KEPT_MIN = 0.75
_BLOCKS = {
    "p", "li", "dt", "dd", "blockquote", "pre", "figcaption", "address", "caption", "summary", "div", "section",
    "article", "main", "td", "body",
}  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# An element that holds one of these is walked into; one that holds none is a line of its own.
_CONTAINED = _BLOCKS | set(_HEADINGS) | {"table", "ul", "ol", "dl"}


def read(data: bytes, name: str) -> Document:
    """A web page. Raises UnreadableDocument when nothing of it can be parsed."""
    try:
        tree = html.document_fromstring(data)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError, AssertionError):
        raise UnreadableDocument(Refusal.DAMAGED, "The page cannot be parsed.") from None
    title = _title(tree)
    _strip(tree)
    outline = Outline(MEDIA_TYPE, name, title)
    found = _main_text(tree)
    if found is not None and _faithful(found, tree):
        _walk_found(outline, found)
    else:
        _walk_page(outline, tree)
    return outline.document()


def _faithful(found: Any, tree: Any) -> bool:
    """Whether the main text that was found has most of the page's words and headings."""
    headings = len(tree.xpath("//h1|//h2|//h3|//h4|//h5|//h6"))
    kept = len(found.findall(".//head"))
    return _words(found) >= WORDS_KEPT_MIN * _words(tree) and kept >= HEADINGS_KEPT_MIN * headings


def _title(tree: Any) -> str:
    """The page's only h1, else its title up to the site's name."""
    tops = tree.xpath("//h1")
    if len(tops) == 1 and tops[0].text_content().strip():
        return str(tops[0].text_content())
    titles = tree.xpath("//head/title/text()")
    for separator in (" | ", " – ", " — ", " - ", " · "):
        if titles and separator in titles[0]:
            return str(titles[0].split(separator)[0])
    return str(titles[0]) if titles else ""


def _main_text(tree: Any) -> Any:
    """trafilatura's tree of the main text, or None."""
    page = html.tostring(tree, encoding="unicode")
    xml = trafilatura.extract(
        page,
        output_format="xml",
        include_comments=False,
        include_tables=True,
        favor_recall=True,
        deduplicate=False,
    )
    return etree.fromstring(xml.encode()).find("main") if xml else None


def _strip(tree: Any) -> None:
    """Remove from the page what is no text of its own."""
    roles = " or ".join(f"@role='{role}'" for role in sorted(_ROLES))
    names = " or ".join(f"self::{name}" for name in _BOILERPLATE)
    for element in tree.xpath(f"//*[{names} or {roles} or @hidden or @aria-hidden='true']"):
        # A heading block inside the main text is called header, too.
        if element.tag == "header" and element.xpath("ancestor::main or ancestor::article"):
            continue
        element.drop_tree()
    for comment in tree.xpath("//comment()"):
        comment.drop_tree()


def _words(tree: Any) -> int:
    body = tree.find("body")
    return len(" ".join((tree if body is None else body).itertext()).split())


def _walk_found(outline: Outline, main: Any) -> None:
    for element in main:
        if element.tag == "head":
            outline.heading(int((element.get("rend") or "h2")[1:] or 2), _text(element))
        elif element.tag == "table":
            _add_table(
                outline, element, "row", "cell", has_header=element.find(".//cell[@role='head']") is not None
            )
        elif element.tag == "list":
            _add_list(outline, element)
        else:
            outline.add(_text(element))


def _add_list(outline: Outline, element: Any) -> None:
    numbered = element.get("rend") == "ol"
    term = ""
    for number, item in enumerate(element.findall("item"), 1):
        rend = item.get("rend") or ""
        if rend.startswith("dt"):
            term = _text(item)
        elif rend.startswith("dd"):
            outline.add(f"{term.rstrip(':')}: {_text(item)}")
        else:
            outline.add(f"{number}. {_text(item)}" if numbered else f"- {_text(item)}")


def _add_table(outline: Outline, table: Any, row: str, cell: str, has_header: bool) -> None:
    rows = [[_text(part) for part in line.xpath(cell)] for line in table.iter(row)]
    outline.table([line for line in rows if line], has_header)


def _walk_page(outline: Outline, tree: Any) -> None:
    """Every block of the page in order: for pages that are too short or too plain for trafilatura."""
    body = tree.find("body")
    _walk_element(outline, tree if body is None else body)


def _walk_element(outline: Outline, element: Any) -> None:
    if element.tag in _HEADINGS:
        outline.heading(_HEADINGS[element.tag], _text(element))
    elif element.tag == "table":
        _add_table(outline, element, "tr", "th|td", has_header=element.find(".//th") is not None)
    elif element.tag in _BLOCKS and not any(
        inner.tag in _CONTAINED for inner in element.iter() if inner is not element
    ):
        outline.add(("- " if element.tag == "li" else "") + _text(element))
    else:
        outline.add(element.text or "")
        for inner in element:
            _walk_element(outline, inner)
            outline.add(inner.tail or "")


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())
