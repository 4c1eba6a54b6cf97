"""`postern backup` and `postern restore`: arguments → one call. No logic."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from core.errors import ConfigError
from edge.commands.operators import user
from edge.commands.terminal import Json, Site, operate_on, write

if TYPE_CHECKING:
    from edge.privacy.backup.restoring import Restored

File = Annotated[Path, typer.Argument(dir_okay=False, help="The backup.")]


def backup(
    site: Site,
    file: File,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of a file that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write a backup of the site, encrypted to its recovery key, and people's keys beside it as FILE.keys."""
    made = operate_on(site, "backup.make", {"file": str(file.absolute()), "replace": replace})
    lines = [
        f"Wrote {made['file']}, {made['bytes'] / 1e6:,.1f} MB: it may go to another place.",
        f"Wrote {made['keys_file']}: leave it there, for each erasure writes it anew.",
        "Not in it:",
        *(f"  {sentence}" for sentence in made["left_out"]),
    ]
    write(made, as_json, "\n".join(lines))


def restore(
    site: Site,
    file: File,
    keys: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="People's keys; without it FILE.keys, where it is there."),
    ] = None,
    recovery_key: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="A file with the recovery key; below it, on a line of its own, one that replaced it since.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of the site that is there.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a backup in the place of a site, or where there is none. The site must not be running."""
    from edge.config import site_paths
    from edge.keys import recovery
    from edge.privacy.backup.keys_file import beside
    from edge.privacy.backup.restoring import Wanted, restore
    from models.progress import on_terminal

    paths = site_paths(site)
    lying = recovery_key or (paths.recovery_key if paths.recovery_key.is_file() else None)
    typed = [_typed()] if lying is None else _read(lying)
    identities = [recovery.identity(line.strip()) for line in typed]
    # From the root, for it goes on the new site's list, and the node works in another folder.
    file = file.absolute()
    people = keys.absolute() if keys else beside(file) if _lies(beside(file)) else None
    with on_terminal() as report:
        done = restore(paths, Wanted(file, identities, people, replace, user()), report)
    found = _told(done)
    write(found, as_json, "\n".join(_lines(found, str(paths.root))))


def _lies(path: Path) -> bool:
    """Also where it cannot be seen: whoever reads it says so, and nobody's conversations go for it."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _read(path: Path) -> list[str]:
    """The keys in a file, a line each. Raises ConfigError."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    if not any(lines):
        raise ConfigError(f"{path} cannot be read.", remedy="Name the file with the recovery key.")
    return [line for line in lines if line.strip()]


def _typed() -> str:
    """At a terminal, unseen; a script pipes it in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    asked: str = typer.prompt("Recovery key (AGE-SECRET-KEY-1…)", hide_input=True, err=True)
    return asked


def _told(done: Restored) -> dict[str, Any]:
    return {
        "site": done.head.site,
        "made_ms": done.head.made_ms,
        "software": done.head.product,
        "documents": done.documents,
        "people": done.people,
        "people_ms": done.people_ms,
        "removed": done.removed,
        "kept": done.kept,
        "encoder": done.head.encoder,
        "left_out": list(done.head.left_out),
        "missing": [str(path) for path in done.missing],
        "settings": done.settings,
    }


PEOPLE = {
    "here": "People's keys are those of this machine: what was erased or wiped since is not back.",
    "file": "People's keys came from the file beside the backup: what had been erased by then is not back.",
    "none": "There were no people's keys: every conversation and ticket is gone, for nobody can read it.",
}

OLD_MS: Final = 7 * 86_400_000
"""The node writes the file anew each day: one that is older was out of its reach."""


def _lines(found: dict[str, Any], folder: str) -> list[str]:
    lines = [
        f"{folder} is {found['site']} as it was on {_day(found['made_ms'])}, with {found['documents']} documents.",
        f"{PEOPLE[found['people']]} Rows that are not back: {found['removed']}.",
        *_age(found["people_ms"], found["made_ms"], time.time_ns() // 1_000_000),
    ]
    if found["kept"] is not None:
        lines.append(f"Lines of audit, notices and consents since then that stay: {found['kept']}.")
    lines += [f"Missing, and named by its settings: {path}" for path in found["missing"]]
    if found["settings"]:
        lines.append(f"Its settings need mending: {found['settings']}")
    return [
        *lines,
        f"Its documents' vectors are of {found['encoder']}: see that it is here (postern models list).",
        f"Look at it, then start it: postern doctor --site {folder}",
    ]


def _day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M}"


def _age(written_ms: int | None, made_ms: int, now_ms: int) -> list[str]:
    """When people's keys were written, where they came from a file; and what that means where it is long ago."""
    if written_ms is None:
        return []
    written = f"That file was written on {_day(written_ms)}"
    if written_ms < made_ms:
        return [f"{written}, before the backup: it is an old copy. Who was erased since is back."]
    if now_ms - written_ms > OLD_MS:
        return [f"{written}: whoever was erased since is back, as the node could not reach it."]
    return [f"{written}."]
