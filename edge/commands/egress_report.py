"""`postern ledger report`: arguments → one call. No logic."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from edge.commands.output import expect_writable, write_file
from edge.commands.terminal import Json, write

Export = Annotated[Path, typer.Argument(help="An export of the ledger: a folder, or a .zip of it.")]
Target = Annotated[Path | None, typer.Option(dir_okay=False, help="Write the report here.")]


def ledger_report(
    export: Export,
    week: Annotated[str, typer.Option(help="Of which week, by ISO 8601: 2026-W48.")],
    log_key: Annotated[str | None, typer.Option(help="The record's key, as you were told it.")] = None,
    witness: Annotated[list[str] | None, typer.Option(help="The key of a witness; may be repeated.")] = None,
    html: Target = None,
    pdf: Target = None,
    as_json: Json = False,
) -> None:
    """What left in a week, for whoever answers for data protection: checked as the verifier does, HTML and PDF."""
    from edge.egress.proofs.weekly_report import told_of, weekly
    from edge.egress.verify import status_of
    from edge.privacy.report.html import as_html
    from edge.privacy.report.pdf import as_pdf

    expect_writable(html, pdf)
    told = told_of(str(export), week, log_key, witness or ())
    document = weekly(told, week, datetime.now(UTC).date())
    if html:
        write_file(html, as_html(document).encode())
    if pdf:
        write_file(pdf, as_pdf(document))
    lines = [document.title, *(f"{label}: {value.strip('`')}" for label, value in document.front)]
    lines += [f"Written: {file}" for file in (html, pdf) if file]
    write(document.model_dump(mode="json"), as_json, "\n".join(lines))
    if status := status_of(told):
        raise typer.Exit(status)
