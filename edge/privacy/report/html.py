"""A report as one page of HTML that needs nothing beside it: no script, no picture. Pure but for the template."""

from __future__ import annotations

from functools import cache
from typing import Final

import jinja2

from edge.privacy.report.document import Document

_TEMPLATE: Final = "report.html"


def as_html(document: Document) -> str:
    """The whole page; prints with page breaks before each part."""
    return _environment().get_template(_TEMPLATE).render(document=document)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["pieces"] = pieces
    return environment


def pieces(text: str) -> list[list[tuple[str, bool]]]:
    """A text line by line, each as runs of words and whether they are a name of a setting or a file."""
    return [
        [(run, at % 2 == 1) for at, run in enumerate(line.split("`")) if run] for line in text.split("\n")
    ]
