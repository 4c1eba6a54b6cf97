"""`postern ledger …`: arguments → one call. No logic."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.errors import BadArgument
from edge.commands.terminal import Json, Site, write, write_each

Aside = Annotated[
    Path | None,
    typer.Option(
        "--ledger", dir_okay=False, help="One that was set aside: courier/ledger.until-….db, or a copy."
    ),
]

ledger = typer.Typer(no_args_is_help=True, help="The record of what left the site.")


@ledger.command("verify")
def ledger_verify(
    site: Annotated[Path | None, typer.Option("--site", help="The site's folder.", file_okay=False)] = None,
    export: Annotated[
        Path | None, typer.Option(help="An export, in place of the site's record: a folder or a .zip.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A checkpoint that somebody kept; the record must go on from it, unaltered."),
    ] = None,
    aside: Aside = None,
    as_json: Json = False,
) -> None:
    """Check the record of what left, every leaf of it, and say what it was."""
    from edge.egress.proofs.checking import check_export, check_site, in_words
    from edge.egress.verify import status_of
    from edge.paths import existing_site

    if (site is None) == (export is None) or (aside and export):
        raise BadArgument(
            "Which record?",
            remedy="Give --site with the site's folder (and --ledger), or --export with an export.",
        )
    if site:
        told = check_site(existing_site(site), checkpoint, aside)
    else:
        told = check_export(export or Path(), checkpoint)
    write(told, as_json, in_words(told).rstrip("\n"))
    if status := status_of(told):
        raise typer.Exit(status)


@ledger.command("export")
def ledger_export(
    site: Site,
    out: Annotated[Path, typer.Option(help="A new .zip, or a folder that is not there yet.")],
    aside: Aside = None,
    as_json: Json = False,
) -> None:
    """Write the record into files that anybody can check without us (docs/privacy.md)."""
    from edge.egress.ledger.export import exported, told_of
    from edge.egress.proofs.checking import ends
    from edge.paths import existing_site

    with exported(existing_site(site), aside) as export:
        export.write(out)
        told = {"out": str(out), **told_of(export)}
    policies = (
        f"{told['policies']:,} policies" if told["policies"] else "no policy (none used, or not readable)"
    )
    kind = "" if out.suffix == ".zip" else "the folder "
    lines = [f"{told['entries']:,} entries and {policies} are in {kind}{out}.", *ends(told)]
    if told["unsigned"]:
        lines.append("Export again in two minutes, when the courier has signed them.")
    write(told, as_json, "\n".join([*lines, f"The log's key: {told['log_key']}"]))


@ledger.command("show")
def ledger_show(
    site: Site,
    aside: Aside = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many of the newest.")] = None,
    as_json: Json = False,
) -> None:
    """What left, leaf by leaf: a line each, times in UTC."""
    from edge.commands.ledger_lines import in_words
    from edge.egress.ledger.reading import found, read
    from edge.paths import existing_site

    path = found(existing_site(site), aside)
    write_each(read(path, aside=aside is not None, last=last), as_json, in_words)


@ledger.command("checkpoint")
def ledger_checkpoint(site: Site, as_json: Json = False) -> None:
    """The newest signed checkpoint: kept elsewhere, it shows later that nothing before it was changed."""
    from edge.egress.ledger.reading import found, newest_checkpoint
    from edge.paths import existing_site

    note = newest_checkpoint(found(existing_site(site)))
    text = bytes(note).decode() if note else ""
    write({"checkpoint": text}, as_json, text.rstrip("\n") or "Nothing is signed yet.")
