"""What every command of `postern-cloud` shares: where the folder is, one call on the services, one answer on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.folder import load_identities
from cloud_sync.services import ControlPlane, control_plane

T = TypeVar("T")
ACTOR = "command line"

Dir = Annotated[Path, typer.Option("--dir", help="The control plane's folder.", envvar="POSTERN_CLOUD_DIR")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


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
