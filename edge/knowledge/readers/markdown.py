"""Markdown (CommonMark and tables), by markdown-it-py; raw HTML inside is left out, links keep their words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from edge.knowledge.document import Document
from edge.knowledge.readers.outline import Outline
from edge.knowledge.readers.text import decode

MEDIA_TYPE = "text/markdown"
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*\n", re.S)
_FRONT_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.M)
_PARSER = MarkdownIt("commonmark").enable("table")


def read(data: bytes, name: str) -> Document:
    """A Markdown document; the title is the front matter's, else the first heading."""
    text = decode(data).replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    title = _FRONT_TITLE.search(front[1]) if front else None
    outline = Outline(MEDIA_TYPE, name, title[1] if title else "")
    _walk(outline, iter(_PARSER.parse(text[front.end() :] if front else text)))
    return outline.document()


def from_text(text: str, title: str) -> Document:
    """A document of Markdown that is no file, under a title that is not in it."""
    outline = Outline(MEDIA_TYPE, title, title)
    _walk(outline, iter(_PARSER.parse(text)))
    return outline.document()


def _walk(outline: Outline, tokens: Iterator[Token]) -> None:
    prefixes: list[str] = []  # the marker of each open list, "" once it was written
    numbers: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            outline.heading(int(token.tag[1:]), _inline(next(tokens)))
        elif token.type == "table_open":
            outline.table(_rows(tokens), has_header=True)
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            numbers.append(int(token.attrGet("start") or 1) if token.type.startswith("ordered") else 0)
            prefixes.append("")
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            numbers.pop()
            prefixes.pop()
        elif token.type == "list_item_open":
            prefixes[-1] = f"{numbers[-1]}. " if numbers[-1] else "- "
            numbers[-1] += 1 if numbers[-1] else 0
        elif token.type == "inline":
            _add_lines(outline, prefixes, _inline(token))
        elif token.type in {"fence", "code_block"}:
            _add_lines(outline, prefixes, token.content)


def _add_lines(outline: Outline, prefixes: list[str], text: str) -> None:
    for line in text.split("\n"):
        outline.add((prefixes[-1] if prefixes else "") + line)
        if prefixes:
            prefixes[-1] = ""


def _rows(tokens: Iterator[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_inline(token).replace("\n", " "))
    return rows


def _inline(token: Token) -> str:
    """The words of an inline token; a hard break is a new line, a soft one a space."""
    parts: list[str] = []
    for child in token.children or []:
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type == "softbreak":
            parts.append(" ")
        elif child.type == "hardbreak":
            parts.append("\n")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts)
