"""Versions of a model side by side in its folder, and one small file that says which serves.

A version is written beside the one that serves and becomes it by one rename of that file (`core.files.write_atomic`):
a crash, a full disk or a failed gate half-way leaves the old one whole. The version before is kept, the others go.
A folder without the file holds one version itself, as releases before 0.2 built it.
"""

from __future__ import annotations

import re
import secrets
import shutil
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.files import fsync_folder, write_atomic
from models.errors import ModelMissing, ModelRefused

CURRENT_FILE: Final = "current.json"
READABLE: Final = 0o644
"""Records and models are no secrets; the worker reads them under a user of its own."""
READABLE_FOLDER: Final = 0o755

_ID_BYTES: Final = 4
"""Tells two builds of one version apart; names are looked at by people, so it is short."""

_BEGUN: Final = re.compile(rf".+-[0-9a-f]{{{2 * _ID_BYTES}}}")
"""What `begin` calls a folder."""


class Current(BaseModel):
    """Which version serves, and which did before: names of folders, "" for none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(min_length=1, pattern=r"^[^/]+$")
    before: str = Field(default="", pattern=r"^[^/]*$")


def model_folder(models_dir: Path, name: str) -> Path:
    """The folder of the version of a model that is to serve; it need not be there. Raises ModelRefused."""
    return folders(models_dir, name)[0]


def folders(models_dir: Path, name: str) -> tuple[Path, ...]:
    """The folder of the current version, then that of the one before, where there is one. Raises ModelRefused."""
    found = current(models_dir, name)
    if found is None:
        return (models_dir / name,)
    return tuple(models_dir / name / version for version in (found.version, found.before) if version)


def current(models_dir: Path, name: str) -> Current | None:
    """What `activate` wrote last; None where it never did. Raises ModelRefused (unreadable)."""
    try:
        return Current.model_validate_json((models_dir / name / CURRENT_FILE).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValidationError) as error:
        raise ModelRefused(f"{name}: {CURRENT_FILE} cannot be read.") from error


def begin(models_dir: Path, name: str, version: str) -> Path:
    """A new, empty folder for a version; nothing serves from it yet. Raises OSError."""
    folder = models_dir / name / f"{version}-{secrets.token_hex(_ID_BYTES)}"
    folder.mkdir(parents=True)
    for each in (folder, folder.parent):
        each.chmod(READABLE_FOLDER)
    return folder


def activate(folder: Path, *, before: str | None = None) -> None:
    """Let the version in `folder` serve, in one step. One stays beside it: `before`, else the one that was current.

    Raises OSError, ModelRefused.
    """
    models_dir, name = folder.parent.parent, folder.parent.name
    if before is None:
        old = current(models_dir, name)
        before = old.version if old else ""
    fsync_folder(folder)
    _point(folder.parent, Current(version=folder.name, before=before))
    sweep(models_dir, name)


def go_back(models_dir: Path, name: str) -> Current:
    """Let the version before serve, in one step; a second time undoes it. Raises ModelMissing (none), ModelRefused."""
    found = current(models_dir, name)
    if found is None or not found.before:
        raise ModelMissing(
            f"{name} has no version before the one that serves.", remedy="See `postern models list`."
        )
    now = Current(version=found.before, before=found.version)
    _point(models_dir / name, now)
    return now


def restore(models_dir: Path, name: str, version: str) -> None:
    """Let `version` serve again and remove every other one; "": remove the model. Again, it changes nothing.

    Raises OSError, ModelRefused.
    """
    if not version:
        discard(models_dir / name)
        return
    _point(models_dir / name, Current(version=version))
    sweep(models_dir, name)


def _point(folder: Path, now: Current) -> None:
    write_atomic(folder / CURRENT_FILE, now.model_dump_json().encode() + b"\n", READABLE)


def sweep(models_dir: Path, name: str) -> None:
    """Remove what neither serves nor did before: older versions, and what a crash left. Raises ModelRefused."""
    found = current(models_dir, name)
    folder = models_dir / name
    if not folder.is_dir():
        return
    for path in list(folder.iterdir()):
        # Without the file, the folder may be a version itself.
        began = path.is_dir() and _BEGUN.fullmatch(path.name)
        if began if found is None else path.name not in {CURRENT_FILE, found.version, found.before}:
            discard(path)
    if found is None and not any(folder.iterdir()):
        folder.rmdir()


def discard(path: Path) -> None:
    """Remove a version, or what is left of one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
