"""Which software of Postern's own runs at a site: what is installed, or a slot beside it that came over the air.

A slot is a folder with the programs of one version (`edge`, `core`, `models`, `postern`); the libraries stay those that
are installed. A pointer file says which one the supervisor (`postern run`) starts. A slot is on trial until it is
kept: one that does not come up STARTS_MAX times in a row loses the pointer to what ran before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from core.files import private_folder, write_atomic
from models.catalog import models_dir

STARTS_MAX: Final = 3
"""Of a slot on trial without becoming ready. Each takes some seconds: what ran before serves again within ten or so."""

SLOT: Final = "POSTERN_SLOT"
"""In the environment of a supervised process: the slot that it runs from, empty for what is installed. Where it is not
set, nothing starts slots here (systemd's units run what is installed)."""

READY_S_MAX: Final = 600.0
"""Of a slot on trial, for one start: a store of 10 GB is brought to other tables in some minutes. One that neither ends
nor serves after so long never will."""

_POINTER: Final = "pointer.json"


@dataclass(frozen=True)
class Pointer:
    """What the supervisor starts. `active`, `before`: versions, "" is what is installed."""

    active: str = ""
    before: str = ""
    trial: bool = False
    starts: int = 0
    """Of the trial, since it was last ready."""


def swapped(pointer: Pointer, version: str) -> Pointer:
    """`version` is to run, on trial. Again for the one that is on trial already changes nothing. Pure."""
    return pointer if pointer.active == version else Pointer(version, pointer.active, trial=True)


def kept(pointer: Pointer, version: str) -> Pointer:
    """The trial of `version` is over, and it stays. Pure."""
    return Pointer(version) if pointer.active == version else pointer


def returned(pointer: Pointer, version: str) -> Pointer:
    """What ran before `version` runs again. Pure."""
    return Pointer(pointer.before) if pointer.active == version and pointer.trial else pointer


def started(pointer: Pointer) -> Pointer:
    """A start of the node begins: counted on trial, and once too often it goes back. Pure."""
    if not pointer.trial:
        return pointer
    if pointer.starts >= STARTS_MAX:
        return returned(pointer, pointer.active)
    return Pointer(pointer.active, pointer.before, trial=True, starts=pointer.starts + 1)


def given_up(pointer: Pointer, since_start_s: float) -> Pointer:
    """What ran before, where the trial's last start has not become ready for too long. Pure."""
    if pointer.trial and pointer.starts and since_start_s > READY_S_MAX:
        return returned(pointer, pointer.active)
    return pointer


def settled(pointer: Pointer) -> Pointer:
    """The node is ready. Pure."""
    return Pointer(pointer.active, pointer.before, pointer.trial)


class Slots:
    """The slots of one site, below one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, version: str) -> Path:
        """Where the slot of a version is, if it is there."""
        return self._folder / version

    def versions(self) -> list[str]:
        """Slots that are there, half ones too."""
        return (
            [path.name for path in self._folder.iterdir() if path.is_dir()] if self._folder.is_dir() else []
        )

    def pointer(self) -> Pointer:
        """What is to run; what is installed where nobody said otherwise, or the file is damaged."""
        try:
            return Pointer(**json.loads((self._folder / _POINTER).read_bytes()))
        except (OSError, ValueError, TypeError):
            return Pointer()

    def point(self, pointer: Pointer) -> Pointer:
        """Say what is to run, in one step. Raises OSError."""
        if pointer != self.pointer():
            private_folder(self._folder)
            write_atomic(self._folder / _POINTER, json.dumps(asdict(pointer)).encode())
        return pointer

    def environment(self, pointer: Pointer) -> dict[str, str]:
        """With which a process runs from the slot that is pointed to; from what is installed where it is not there."""
        slot = self.place(pointer.active)
        if not pointer.active or not slot.is_dir():
            return {SLOT: ""}
        return slot_environment(slot, os.environ)


def slot_environment(slot: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """With which a process runs from a slot."""
    paths = [str(slot), *filter(None, [environment.get("PYTHONPATH")])]
    return {
        SLOT: slot.name,
        "PYTHONPATH": os.pathsep.join(paths),
        # A working folder with programs in it must not go before the slot.
        "PYTHONSAFEPATH": "1",
        # From a slot, programs do not find the models that lie beside a checkout.
        "POSTERN_MODELS": str(models_dir()),
    }


def runs_from() -> str | None:
    """The slot of this process, "" for what is installed; None where nothing starts slots."""
    return os.environ.get(SLOT)


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with. Pure."""
    parts = []
    for part in version.replace("-", ".").replace("+", ".").split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)
