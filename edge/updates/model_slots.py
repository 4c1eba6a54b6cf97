"""Which model is set to serve, in which version, on the disk alone: for the updater, and for a start before all else.

Two small files say it: the pointer of the model's versions (`models.versions`) and the setting `models.encoder` or
`models.llm`. Each changes in one step, and between the two whichever model is set is a valid one.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import ConfigError
from core.files import fsync_folder, write_atomic
from edge.config import SitePaths, load_config
from edge.config.edit import set_text
from edge.updates.watching import STARTS_MAX
from models import versions
from models.errors import ModelRefused

Setting = Literal["encoder", "llm"]
TRIAL_FILE: Final = "trial.json"


@dataclass(frozen=True)
class WayBack:
    """What was set before: the setting's value, and the version of the updated model, "" where it was not here."""

    setting: Setting
    set_to: str
    name: str
    version: str

    def told(self) -> str:
        """As the updater keeps it."""
        return json.dumps(asdict(self), sort_keys=True)


def read_way_back(told: str) -> WayBack:
    """Raises ValueError, TypeError."""
    return WayBack(**json.loads(told))


class Trial(BaseModel):
    """A model that is watched: how often the node has started with it, and the way back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts: int
    way_back: str


class ModelSlots:
    """Of one site. Blocking."""

    def __init__(self, paths: SitePaths, models_dir: Path) -> None:
        self._paths = paths
        self.models_dir = models_dir

    def way_back(self, setting: Setting, name: str) -> WayBack:
        """As it is now. Raises ConfigError, ModelRefused."""
        models = load_config(self._paths).models
        current = versions.current(self.models_dir, name)
        set_to = models.encoder if setting == "encoder" else models.llm
        return WayBack(setting, set_to or "", name, current.version if current else "")

    def set(self, folder: Path, way_back: WayBack) -> None:
        """Let the version in `folder` serve from the next start on, on trial.

        Raises OSError, ConfigError, ModelRefused.
        """
        trial = Trial(starts=0, way_back=way_back.told())
        write_atomic(self._trial, trial.model_dump_json().encode())
        current = versions.current(self.models_dir, way_back.name)
        if current is None or current.version != folder.name:
            versions.activate(folder, before=way_back.version)
        set_text(self._paths, "models", way_back.setting, way_back.name)

    def go_back(self, way_back: WayBack) -> None:
        """As it was. Raises OSError, ConfigError, ModelRefused."""
        if way_back.set_to:
            set_text(self._paths, "models", way_back.setting, way_back.set_to)
        if way_back.set_to or way_back.version:
            versions.restore(self.models_dir, way_back.name, way_back.version)
        self.end_trial()

    def end_trial(self) -> None:
        """It stays, or it went."""
        self._trial.unlink(missing_ok=True)
        if self._trial.parent.is_dir():
            fsync_folder(self._trial.parent)

    def settle(self) -> None:
        """The node has been up and well for long enough: its starts count anew. Raises OSError."""
        trial = self._read_trial()
        if trial is not None and trial.starts:
            write_atomic(self._trial, trial.model_copy(update={"starts": 0}).model_dump_json().encode())

    def count_start(self) -> bool:
        """Called before a node opens any model: whether it went back, as it had not come up so often."""
        trial = self._read_trial()
        if trial is None:
            return False
        if trial.starts > STARTS_MAX:
            self.go_back(read_way_back(trial.way_back))
            return True
        more = trial.model_copy(update={"starts": trial.starts + 1})
        write_atomic(self._trial, more.model_dump_json().encode())
        return False

    def _read_trial(self) -> Trial | None:
        try:
            trial = Trial.model_validate_json(self._trial.read_bytes())
            read_way_back(trial.way_back)
        except (OSError, ValidationError, ValueError, TypeError):
            return None  # what serves is what the pointer says; the updater's own row knows the way back
        return trial

    @property
    def _trial(self) -> Path:
        return self._paths.updates / TRIAL_FILE


def count_start(paths: SitePaths, models_dir: Path) -> None:
    """As `ModelSlots.count_start`, and whatever is wrong with that does not keep the node from starting."""
    try:
        if os.path.lexists(paths.updates / TRIAL_FILE) and ModelSlots(paths, models_dir).count_start():
            sys.stderr.write(
                "The node did not come up with a model that was on trial; the one before serves.\n"
            )
    except (OSError, ConfigError, ModelRefused) as error:
        sys.stderr.write(f"The model before could not be brought back: {error}\n")
