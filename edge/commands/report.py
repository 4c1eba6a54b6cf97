"""`postern privacy report`: arguments → one call. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edge.commands.output import expect_writable, write_file
from edge.commands.terminal import Json, Site, operate_on, write

if TYPE_CHECKING:
    from edge.privacy.report.document import Document

Target = Annotated[Path | None, typer.Option(dir_okay=False, help="Write the report here.")]


def privacy_report(site: Site, html: Target = None, pdf: Target = None, as_json: Json = False) -> None:
    """Records, measures and assessments that data protection law asks for, as this site is now: a draft for counsel.

    Without a file it says what the report has and what the controller has to add.
    """
    from edge.privacy.report.document import Document
    from edge.privacy.report.html import as_html
    from edge.privacy.report.pdf import as_pdf

    expect_writable(html, pdf)
    document = Document.model_validate(operate_on(site, "privacy.report", {}))
    if html:
        write_file(html, as_html(document).encode())
    if pdf:
        write_file(pdf, as_pdf(document))
    written = [f"Written: {file}" for file in (html, pdf) if file]
    write(document.model_dump(mode="json"), as_json, "\n".join([*_lines(document), *written]))


def _lines(document: Document) -> list[str]:
    """The parts, each with how much of it is still to be said."""
    from edge.privacy.report.document import gaps_in

    front = [f"{label}: {value}" for label, value in document.front]
    parts = [f"{gaps_in(section):4} to complete  {section.title}" for section in document.sections]
    return [document.title, *front, "", *parts]
