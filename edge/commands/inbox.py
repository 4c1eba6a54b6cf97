"""`postern inbox`: arguments → one call. No logic."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.terminal import Json, Site, local_time, operate_on, write

inbox = typer.Typer(no_args_is_help=True, help="People who asked for a human.")

Ticket = Annotated[str, typer.Argument(help="The number that the customer has.")]
As = Annotated[str, typer.Option("--as", help="Who you are; customers see the first name.")]


@inbox.command("list")
def inbox_list(
    site: Site,
    all_states: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    queue: Annotated[str | None, typer.Option("--queue", help="Only this desk's.")] = None,
    as_json: Json = False,
) -> None:
    """Tickets, longest waiting first."""
    found = operate_on(site, "inbox.list", {"all": all_states, "queue": queue})
    lines = [
        f"{t['ticket']}  {t['state']:9} {t['queue']:10} {local_time(t['created_ms'])}  {t['messages']:3} messages  "
        f"{'here' if t['customer_here'] else 'left':4}  {t['operator'] or ''}"
        for t in found
    ]
    write(found, as_json, "\n".join(lines) or "Nobody is waiting.")


@inbox.command("show")
def inbox_show(site: Site, ticket: Ticket, operator: As = "", as_json: Json = False) -> None:
    """What was handed over and said."""
    found = _operate(site, "inbox.show", ticket, operator)
    lines = [
        f"{local_time(m['created_ms'])} {m['sender']}{' ' + m['operator'] if m['operator'] else ''}: {m['text']}"
        for m in found["said"]
    ]
    write(found, as_json, f"{found['ticket']}: {found['state']}\n" + "\n".join(lines))


@inbox.command("take")
def inbox_take(site: Site, ticket: Ticket, operator: As = "", as_json: Json = False) -> None:
    """It is yours from now on; the customer sees your first name."""
    write(
        _operate(site, "inbox.take", ticket, operator),
        as_json,
        "You have it. The customer sees your first name.",
    )


@inbox.command("reply")
def inbox_reply(site: Site, ticket: Ticket, text: str, operator: As = "", as_json: Json = False) -> None:
    """Write to the customer's screen."""
    write(_operate(site, "inbox.reply", ticket, operator, text=text), as_json, "Sent.")


@inbox.command("close")
def inbox_close(site: Site, ticket: Ticket, operator: As = "", as_json: Json = False) -> None:
    """The matter is settled; what was said is forgotten."""
    write(_operate(site, "inbox.close", ticket, operator), as_json, "Closed.")


def _operate(site: Path, name: str, ticket: str, operator: str, **more: str) -> Any:
    return operate_on(site, name, {"ticket": ticket, "operator": operator or getpass.getuser(), **more})
