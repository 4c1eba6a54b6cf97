"""Which of a model's two versions serves: the current one, or the one before it where the current one may not.

Nothing is changed on disk: a node may not write to the models, and whoever looks into it should find what was wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.errors import ModelMissing, ModelRefused
from models.records import read_build, sha256_of
from models.versions import folders

_T = TypeVar("_T")


@dataclass(frozen=True)
class Setback:
    """The current version of a model was refused, and the one before serves. Versions by the names of their folders."""

    model: str
    refused: str
    serves: str
    reason: str
    """The code of the error by which it was refused."""
    detail: str

    def __str__(self) -> str:
        return f"{self.model} {self.refused} was refused, {self.serves} serves: {self.detail}"

    @property
    def remedy(self) -> str:
        """What makes it whole again."""
        return (
            "Import the model again (`postern models import DIR`; Postern's own: `postern models build`), then "
            f"`postern models use --site DIR {self.model}`. To stay with the version that serves: the same with "
            "--previous."
        )

    def told(self) -> dict[str, str]:
        """For `postern status`."""
        return {**vars(self), "remedy": self.remedy}


def first_servable(models_dir: Path, name: str, use: Callable[[Path, Setback | None], _T]) -> _T:
    """What `use` makes of the folder of the current version; where it refuses that, of the one before.

    `use` checks before it opens, and raises ModelMissing or ModelRefused. If it refuses both, or there is none before,
    what it said of the current one is raised.
    """
    current, *before = folders(models_dir, name)
    try:
        return use(current, None)
    except (ModelMissing, ModelRefused) as error:
        for folder in before:
            try:
                return use(folder, Setback(name, current.name, folder.name, error.code, error.detail))
            except (ModelMissing, ModelRefused):
                pass
        raise


def version_to_keep(models_dir: Path, name: str) -> str:
    """Which version stays beside a new one, as a way back: the newest whose files are as they were built. "": none."""
    there = [folder for folder in folders(models_dir, name) if folder.parent.name == name]
    whole = (folder.name for folder in there if _is_whole(folder))
    return next(whole, there[0].name if there else "")


def _is_whole(folder: Path) -> bool:
    try:
        files = read_build(folder).files
        return all(sha256_of(folder / file) == sha256 for file, sha256 in files.items())
    except (ModelMissing, ModelRefused, OSError):
        return False
