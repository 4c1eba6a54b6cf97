"""`postern privacy subject` and `postern privacy export`: arguments → one call. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.operators import user
from edge.commands.output import expect_writable, write_file
from edge.commands.terminal import Json, Site, local_time, operate_on, write

Subject = Annotated[
    str,
    typer.Option(
        "--subject",
        help="A subject, a conversation's identifier or a ticket's number; - reads it from standard input, so that it"
        " stands in no shell's history.",
    ),
]


def privacy_subject(site: Site, subject: Subject, as_json: Json = False) -> None:
    """What is stored of somebody, in counts; hold, consents, erasures; who looked."""
    found = operate_on(site, "privacy.subject", {"subject": named(subject), "actor": user()})
    write(found, as_json, "\n".join(_lines(found)))


def privacy_export(
    site: Site,
    subject: Subject,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page to read, print or hand over.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Everything that is stored of somebody (GDPR Art. 15, 20)."""
    from edge.privacy.export_page import as_page, as_text

    expect_writable(html)
    found = operate_on(site, "privacy.export", {"subject": named(subject), "actor": user()})
    if html is not None:
        write_file(html, as_page(found).encode())
    if html is None or as_json:
        write(found, as_json, as_text(found))


def named(subject: str) -> str:
    """The subject that an option means."""
    return sys.stdin.readline().strip() if subject == "-" else subject


def _lines(found: dict[str, Any]) -> list[str]:
    from edge.store.schema import TABLES

    if not found["found"]:
        return [f"Nothing is stored of {found['given']}."]
    lines = [found["subject"], f"Audit names it {found['label']}.", ""]
    lines += [f"{TABLES[name].title}: {rows}" for name, rows in found["counts"].items() if rows]
    if hold := found["hold"]:
        lines.append(f"On hold for {hold['reference']} since {local_time(hold['placed_ms'])}.")
        if hold["erasure_asked_ms"]:
            lines.append("An erasure waits for the release.")
    lines += [f"Erased {local_time(erasure['erased_ms'])}." for erasure in found["erasures"]]
    lines += [
        f"{local_time(one['at_ms'])} {one['purpose']} {one['notice_version']}: {'yes' if one['given'] else 'no'}"
        for one in found["consents"]
    ]
    lines += ["", "Who looked or changed something:"]
    lines += [
        f"{local_time(row['at_ms'])} {row['actor']} {row['action']} {row['outcome']}" for row in found["seen"]
    ]
    return lines
