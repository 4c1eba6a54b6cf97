"""Policies that came as updates: a file each, in one folder. They narrow what may leave, beside the site's own.

The folder is looked at for every decision; a file that cannot be read permits nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.files import private_folder, write_atomic
from edge.privacy.policies import NOTHING
from edge.privacy.policy import POLICY_BYTES_MAX, Policy, parse

SUFFIX: Final = ".toml"

PUSHED_MAX: Final = 16
"""As many as the control plane may want updates. More are not ours: nothing is permitted."""


class PushedPolicies:
    """Those of one folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at: tuple[tuple[str, int, int], ...] = ()
        self._found: tuple[Policy, ...] = ()

    def __call__(self) -> tuple[Policy, ...]:
        """All of them. Raises nothing."""
        try:
            paths = self._paths()
            marks = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in paths)
        except OSError:
            return (NOTHING,)
        if marks != self._read_at:
            too_many = len(paths) > PUSHED_MAX
            self._found = (NOTHING,) if too_many else tuple(map(_read, paths))
            self._read_at = marks
        return self._found

    def takes(self, name: str) -> bool:
        """Whether one of that name may be put: it is there, or there is room. Raises OSError."""
        return self.has(name) or len(self._paths()) < PUSHED_MAX

    def has(self, name: str) -> bool:
        """Whether one of that name is here, readable or not."""
        return self._path(name).exists()

    def text_of(self, name: str) -> str:
        """The file of that name as it is; "" where there is none. Raises OSError."""
        path = self._path(name)
        return path.read_text("utf-8") if path.exists() else ""

    def put(self, name: str, text: str) -> None:
        """Let it narrow from now on, in one step; "" takes it away. Raises OSError."""
        private_folder(self._folder)
        if text:
            write_atomic(self._path(name), text.encode())
        else:
            self._path(name).unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        """Of all files, in order. Raises OSError for a folder that cannot be read; one that is not there has none."""
        try:
            names = os.listdir(self._folder)  # looked at for each text, and three times as fast as `glob`
        except FileNotFoundError:
            return []
        return [self._folder / name for name in sorted(names) if name.endswith(SUFFIX)]

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def _read(path: Path) -> Policy:
    try:
        content = path.read_bytes()
        return parse(content.decode("utf-8")) if len(content) <= POLICY_BYTES_MAX else NOTHING
    except (OSError, UnicodeDecodeError, PosternError):
        return NOTHING
