"""What every command of `postern-cloud` shares: where the folder is, one call on the services, one answer on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import sqlalchemy as sa
import typer
from rich.console import Console
from rich.table import Table

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import load_identities
from cloud_sync.services import ControlPlane, control_plane
from core.errors import ConfigError

T = TypeVar("T")
ACTOR = "command line"
STDIN = "-"
POSTGRESQL = "postgresql://"
_DATABASE_REMEDY = (
    "Write postgresql://user:password@host/name into a file that only you read, and name the file."
)

Dir = Annotated[Path, typer.Option("--dir", help="The control plane's folder.", envvar="POSTERN_CLOUD_DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def database_address(given: str) -> str:
    """The address of PostgreSQL that `--database` means: in a file, in a line of stdin ("-"), or itself if it has no
    password, which every user of the machine would see among its processes. "" stays. Raises ConfigError.
    """
    if not given:
        return ""
    direct = given.startswith(POSTGRESQL)
    try:
        address = given if direct else _line_of(given)
        url = sa.make_url(address)
    except (OSError, ValueError, sa.exc.ArgumentError):
        address = ""
    if not address.startswith(POSTGRESQL):
        raise ConfigError("--database names no address of PostgreSQL.", remedy=_DATABASE_REMEDY)
    if direct and (url.password or "password" in url.query):
        raise ConfigError("The address has a password, which others would see.", remedy=_DATABASE_REMEDY)
    return address


def _line_of(file: str) -> str:
    if file == STDIN:
        return sys.stdin.readline().strip()
    return Path(file).read_text(encoding="utf-8").strip()


async def with_plane(paths: CloudPaths, call: Callable[[ControlPlane], Awaitable[T]]) -> T:
    """`call` on the services of a folder. Raises ConfigError, StoreUnavailable, and what the call raises."""
    async with control_plane(paths, load_settings(paths), load_identities(paths)) as plane:
        return await call(plane)


def answer(document: Any, as_json: bool, text: str | Table) -> None:
    """The document, or the same for a person, on stdout."""
    if as_json:
        write_line(document)
    elif isinstance(text, Table):
        Console(highlight=False).print(text)
    else:
        Console(highlight=False, soft_wrap=True).print(text, markup=False)


def write_line(document: Any) -> None:
    """One line of JSON on stdout."""
    sys.stdout.write(json.dumps(document, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)
