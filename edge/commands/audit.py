"""`postern audit`: arguments → one call. No logic."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import ExitCode
from edge.commands.operators import user
from edge.commands.output import standard_output
from edge.commands.terminal import Json, Site, as_lines, operate_on, write

audit = typer.Typer(no_args_is_help=True, help="Who saw, changed, took out or was refused what.")

Actor = Annotated[str, typer.Option(help="Who: an operator, terminal:USER, api-key:NAME, customer, unknown.")]
Action = Annotated[str, typer.Option(help="What, by its beginning: inbox, inbox.show.")]
Object = Annotated[str, typer.Option(help="Of what: a ticket, a document, subject:DIGITS.")]
Outcome = Annotated[str | None, typer.Option(help="begun, done, refused or failed.")]
Since = Annotated[str, typer.Option(help="From this day or moment on: 2026-03-01, 2026-03-01T14:00.")]
Until = Annotated[str, typer.Option(help="Up to this moment, or this whole day.")]


@audit.command("list")
def audit_list(
    site: Site,
    actor: Actor = "",
    action: Action = "",
    object: Object = "",
    outcome: Outcome = None,
    since: Since = "",
    until: Until = "",
    rows: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest.")] = 100,
    as_json: Json = False,
) -> None:
    """The newest rows."""
    wanted: dict[str, Any] = {"who": actor, "action": action, "object": object, "outcome": outcome}
    found = operate_on(site, "audit.list", {**wanted, "since": since, "until": until, "rows": rows})
    lines = [_line(row) for row in found["rows"]]
    of_how_many = f"{'more than ' if found['more'] else ''}{found['count']}"
    lines.append(f"{len(found['rows'])} of {of_how_many} rows.")
    write(found, as_json, "\n".join(lines))
    _warn(found["missing"])


@audit.command("export")
def audit_export(
    site: Site,
    format: Annotated[str, typer.Option(help="rfc5424 (syslog), or json: one object a line.")] = "rfc5424",
    actor: Actor = "",
    action: Action = "",
    object: Object = "",
    outcome: Outcome = None,
    since: Since = "",
    until: Until = "",
) -> None:
    """Every row, oldest first, on standard output; that it was exported is a row, too."""
    from edge.commands.audit_pages import write_export
    from edge.config import load_config, site_paths

    wanted: dict[str, Any] = {"who": actor, "action": action, "object": object, "outcome": outcome}
    wanted |= {"since": since, "until": until, "format": format, "actor": user()}
    paths = site_paths(site)
    load_config(paths)
    with standard_output():
        missing = asyncio.run(write_export(paths, wanted, sys.stdout.buffer))
    _warn(missing)


@audit.command("verify")
def audit_verify(
    site: Site,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="What an earlier verification printed, kept elsewhere.", dir_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Is every row there that was ever written, and are they those of the checkpoint?"""
    found = operate_on(site, "audit.verify", {"checkpoint": _remembered(checkpoint)})
    told = {name: value for name, value in found.items() if name not in {"checkpoint", "gaps"}}
    said = (
        f"{as_lines(told)}\n\nKeep this line elsewhere, for --checkpoint:\n{json.dumps(found['checkpoint'])}"
    )
    write(found, as_json, said)
    if not found["ok"]:
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _remembered(file: Path | None) -> Any:
    """The checkpoint in a file. Raises BadParameter."""
    from edge.operations.audit import Checkpoint

    if file is None:
        return None
    try:
        return Checkpoint.model_validate_json(file.read_bytes()).model_dump()
    except FileNotFoundError:
        raise typer.BadParameter("There is no such file.", param_hint="--checkpoint") from None
    except OSError as error:
        said = f"The file cannot be read: {error.strerror}."
        raise typer.BadParameter(said, param_hint="--checkpoint") from None
    except ValueError:  # also what pydantic raises
        said = "This is no line that postern audit verify printed."
        raise typer.BadParameter(said, param_hint="--checkpoint") from None


def _line(row: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(row["at_ms"] / 1000).astimezone()
    times = f" ({row['count']} times)" if row["count"] > 1 else ""
    said = f"{row['actor']:24} {row['action']:24} {row['outcome']:8}{times} {row['object']}"
    return f"{row['id']:8}  {at:%Y-%m-%d %H:%M:%S}  {said}"


def _warn(missing: int | None) -> None:
    if missing:
        sys.stderr.write(f"{missing} rows are missing that nothing explains: postern audit verify\n")
