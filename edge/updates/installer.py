"""What one kind of update must be able to do: each installer is a file of its own, and knows nothing of the steps.

Every method may be called again after a crash that cut it off, and then does what is left to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.artifacts import Manifest
from core.errors import ExitCode, PosternError
from edge.updates.wanted import Update


class InstallRefused(PosternError):
    """This update does not come into use here. `reason`: a short code; `passing`: it may later."""

    code = "install_refused"
    title = "An update is not taken over"
    remedy = "What ran before still does. See `postern updates show`, and tell whoever published it."
    exit_code = ExitCode.CHECK_FAILED

    def __init__(
        self, reason: str, detail: str = "", *, passing: bool = False, figures: Figures | None = None
    ) -> None:
        super().__init__(detail or f"Not taken over: {reason}.")
        self.reason = reason
        self.passing = passing
        self.figures = figures or Figures()


@dataclass(frozen=True)
class Figures:
    """What the gate measured here, and the least or most that it asks for; None where it has no such figure.

    Shares and cosines in thousandths. Latency is of one pass. Cosines are to the model's own reference.
    """

    golden_permille: int | None = None
    golden_permille_min: int | None = None
    agreement_permille: int | None = None
    agreement_permille_min: int | None = None
    cosine_permille: int | None = None
    cosine_permille_min: int | None = None
    cosine_least_permille: int | None = None
    cosine_least_permille_min: int | None = None
    latency_us: int | None = None
    latency_us_max: int | None = None


class Content(Protocol):
    """The files of an update, fetched and verified."""

    @property
    def manifest(self) -> Manifest:
        """What the signed metadata names."""

    def write(self, path: str, target: Path) -> None:
        """Put one file of the manifest together at `target`, durably. Blocking. Raises OSError, ChunkDamaged."""


class Installer(Protocol):
    """Takes one kind of update over, and back. `staged` and `way_back` are its own words, kept for it."""

    def present(self, update: Update) -> Sequence[Path]:
        """Files here that may hold chunks of it: those of the version that runs. Blocking."""

    async def stage(self, update: Update, content: Content) -> str:
        """Put it beside what runs; returns where, "" for nowhere. Raises InstallRefused, OSError."""

    async def gate(self, update: Update, staged: str) -> Figures:
        """Try it here, beside what runs. Raises InstallRefused."""

    async def way_back(self, update: Update, staged: str) -> str:
        """What runs now, said so that `roll_back` finds it. Changes nothing."""

    async def activate(self, update: Update, staged: str, way_back: str) -> None:
        """Let it run, in one step. Raises InstallRefused, OSError."""

    async def health(self, update: Update, staged: str) -> str:
        """Why it does not run well, as a short code; empty while it does. Called each second while it is watched."""

    async def settle(self, update: Update) -> None:
        """The node has been up and well with it for `watching.SETTLED_S`. Raises OSError."""

    async def keep(self, update: Update, staged: str, way_back: str) -> None:
        """It stays: put away what only the way back needed."""

    async def roll_back(self, update: Update, staged: str, way_back: str) -> None:
        """Let run what ran before, in one step, and put away what was staged. Raises OSError."""

    async def discard(self, update: Update, staged: str) -> None:
        """It never ran, and will not: put away what was staged, which may be half there."""
