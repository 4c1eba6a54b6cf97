"""`postern operators`: arguments → one call. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.commands.terminal import Json, Site, operate_on, write

operators = typer.Typer(no_args_is_help=True, help="Who of the staff may log in at the console.")

Name = Annotated[str, typer.Argument(help="The name for logging in.")]


@operators.command("list")
def operators_list(site: Site, as_json: Json = False) -> None:
    """All operators."""
    found = operate_on(site, "operators.list", {})
    lines = [f"{o['name']:20} {o['state']:12} {', '.join(o['roles'])}  {o['display_name']}" for o in found]
    write(found, as_json, "\n".join(lines) or "Nobody yet. The console's claim code makes the first.")


@operators.command("add")
def operators_add(
    site: Site,
    name: Name,
    role: Annotated[list[str], typer.Option(help="technician, desk or data-protection; more than once.")],
    display: Annotated[str, typer.Option(help="The name that customers see.")] = "",
    as_json: Json = False,
) -> None:
    """Add an operator; the password is asked for, or read from standard input."""
    more = {"roles": role, "display_name": display, "password": _password()}
    write(_operate(site, "operators.add", name, **more), as_json, f"Added {name}.")


@operators.command("disable")
def operators_disable(site: Site, name: Name, as_json: Json = False) -> None:
    """End what is open, and refuse further logins."""
    write(_operate(site, "operators.disable", name), as_json, f"Disabled {name}.")


@operators.command("enable")
def operators_enable(site: Site, name: Name, as_json: Json = False) -> None:
    """Let log in again."""
    write(_operate(site, "operators.enable", name), as_json, f"Enabled {name}.")


@operators.command("set-password")
def operators_set_password(site: Site, name: Name, as_json: Json = False) -> None:
    """A new password, asked for or read from standard input; open logins end."""
    found = _operate(site, "operators.set-password", name, password=_password())
    write(found, as_json, f"{name} has a new password.")


@operators.command("break-glass")
def operators_break_glass(site: Site, as_json: Json = False) -> None:
    """Seal the emergency account anew, in two halves for two people: prints them this once."""
    found = operate_on(site, "operators.break-glass", {"actor": user()})
    first, second = found["envelopes"]
    text = (
        f"Envelope 1  {first}\nEnvelope 2  {second}\n\n"
        "Write each on a paper of its own, seal the two envelopes, give them to two people.\n"
        "Neither opens anything alone, and neither is shown again. What was sealed before is void.\n"
        "Every use is written down and shown to everybody at the console: …/console/break-glass"
    )
    write(found, as_json, text)


@operators.command("token")
def operators_token(
    site: Site,
    name: Name,
    hours: Annotated[int, typer.Option(min=1, help="How long it works.")] = 10,
    as_json: Json = False,
) -> None:
    """A token for a program of the intranet that acts for an operator; printed this once."""
    found = _operate(site, "operators.token", name, hours=hours)
    write(found, as_json, f"{found['token']}\nWorks until {found['expires_at']}.")


def _operate(site: Path, operation: str, name: str, **more: object) -> Any:
    return operate_on(site, operation, {"name": name, "actor": user(), **more})


def user() -> str:
    """Who acts: the user of this machine."""
    from core.local_user import this_user

    return this_user()


def _password() -> str:
    """Twice from a terminal, once from anything else."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    asked: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return asked
