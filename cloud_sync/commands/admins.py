"""`postern-cloud admin`: who may log in to the console, and be the second person of a risky rollout."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from cloud_sync.commands.command_line import ACTOR, Dir, Json, answer, with_plane
from cloud_sync.config import CloudPaths
from cloud_sync.services import ControlPlane, utc_now
from cloud_sync.store.accounts import admin_names
from core.errors import ConfigError
from core.webshell.accounts import Note

app = typer.Typer(no_args_is_help=True, help="Accounts of the console.")

PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="The password is one line on standard input.")
]


@app.command("add")
def add(name: str, directory: Dir, password_stdin: PasswordStdin = False, as_json: Json = False) -> None:
    """A further account; asks for its password."""
    password = read_password(password_stdin)

    async def call(plane: ControlPlane) -> bool:
        hashed = await plane.accounts.new_password(name, password)
        return await plane.admins.add(name, hashed, Note(utc_now(), ACTOR, f"account.added {name}"))

    if not asyncio.run(with_plane(CloudPaths(directory), call)):
        raise ConfigError(f"There is an account {name} already.", remedy="Choose another name.")
    answer({"admin": name}, as_json, f"{name} may log in.")


@app.command("list")
def list_admins(directory: Dir, as_json: Json = False) -> None:
    """Every account."""
    names = asyncio.run(with_plane(CloudPaths(directory), lambda plane: plane.database.run(admin_names)))
    answer(sorted(names), as_json, "\n".join(sorted(names)))


def read_password(from_stdin: bool) -> str:
    """A password as typed, or as one line of standard input. Raises ConfigError."""
    password: str = (
        sys.stdin.readline().rstrip("\n")
        if from_stdin
        else typer.prompt("Password", hide_input=True, err=True)
    )
    if not password:
        raise ConfigError("There is no password.", remedy="Type it, or give it on standard input.")
    return password
