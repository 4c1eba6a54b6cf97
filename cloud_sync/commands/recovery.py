"""`postern-cloud backup` and `restore`: arguments → one call → one answer. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pyrage
import typer
from pyrage.x25519 import Identity

from cloud_sync.backups import make_backup, recovery_recipient
from cloud_sync.commands.command_line import ACTOR, Dir, Json, answer, database_address
from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.restoring import SQLITE, Restored, Wanted
from cloud_sync.restoring import restore as put_back
from cloud_sync.services import utc_now
from core.errors import ConfigError

File = Annotated[Path, typer.Argument(dir_okay=False, help="The backup.")]


def backup(
    file: File,
    directory: Dir,
    replace: Annotated[bool, typer.Option("--replace", help="In the place of a file that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write folder and database into one file, encrypted to the recovery key, while the control plane serves."""
    paths = CloudPaths(directory)
    settings = load_settings(paths)
    _, new = recovery_recipient(paths)
    made = make_backup(paths, settings, file.absolute(), replace, utc_now())
    lines = [f"Wrote {made.file}, {made.size / 1e6:,.1f} MB."]
    if new or paths.recovery_key.exists():
        lines.append(
            f"Take {paths.recovery_key} to a safe place and remove it here: nothing else opens backups."
        )
    answer({"file": str(made.file), "bytes": made.size, "made_at": made.made_at}, as_json, "\n".join(lines))


def restore(
    file: File,
    directory: Dir,
    recovery_key: Annotated[
        Path | None, typer.Option(dir_okay=False, help="A file with it; else it is asked for.")
    ] = None,
    database: Annotated[
        str, typer.Option(help="Another than the backup's: sqlite, or a file with postgresql://…; -: stdin.")
    ] = "",
    replace: Annotated[bool, typer.Option("--replace", help="In the place of what is there.")] = False,
    as_json: Json = False,
) -> None:
    """Put a backup back. Every replica must be stopped."""
    paths = CloudPaths(directory.absolute())
    identities = _identities(paths, recovery_key)
    address = database if database == SQLITE else database_address(database)
    wanted = Wanted(file.absolute(), identities, address, replace)
    done = put_back(paths, wanted, ACTOR, utc_now())
    document = {
        "dir": str(paths.root),
        "made_at": done.head.made_at,
        "organisation": done.head.organisation,
        "incarnation": done.incarnation,
        "nodes": done.nodes,
        "rows": done.rows,
        "before": str(done.before) if done.before else None,
    }
    answer(document, as_json, "\n".join(_lines(paths, done)))


def _lines(paths: CloudPaths, done: Restored) -> list[str]:
    made = f"{done.head.made_at:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{paths.root} is {done.head.organisation} as it was at {made}: {done.nodes} nodes, {done.rows} rows."
    ]
    if done.before:
        lines.append(f"What was there lies in {done.before}.")
    return [
        *lines,
        "Revoke again whom you revoked since; nodes that were enrolled or replaced since enrol anew; codes are over.",
        "Nodes keep what they run; set anew what is to be wanted. What is lost of their rows shows as gaps.",
        f"Start it: postern-cloud run --dir {paths.root}",
    ]


def _identities(paths: CloudPaths, file: Path | None) -> list[Identity]:
    """Raises ConfigError."""
    file = file or (paths.recovery_key if paths.recovery_key.is_file() else None)
    try:
        text = file.read_text(encoding="ascii") if file else _typed()
        found = [Identity.from_str(line.strip()) for line in text.splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError):
        found = []
    if not found:
        raise ConfigError("That is no recovery key.", remedy="It begins with AGE-SECRET-KEY-1.")
    return found


def _typed() -> str:
    """At a terminal, unseen; a script pipes it in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    asked: str = typer.prompt("Recovery key (AGE-SECRET-KEY-1…)", hide_input=True, err=True)
    return asked
