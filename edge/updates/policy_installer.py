"""Policies over the air: one narrows what may leave, beside the site's own and never in its place.

A policy that permits anything which the site's own does not is refused. One that was kept narrows, whatever the site
signs, until a later version of its name takes its place or the site takes it off (`edge.updates.removing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from core.errors import PosternError
from core.files import private_folder
from edge.privacy.policies import Policies
from edge.privacy.policy import POLICY_BYTES_MAX, Policy, parse
from edge.privacy.pushed_policies import PUSHED_MAX, PushedPolicies
from edge.updates.installer import Content, Figures, InstallRefused
from edge.updates.wanted import Update

FILE: Final = "policy.toml"
"""The one file of such an update."""


class PolicyInstaller:
    """See `edge.updates.installer.Installer`. `staged` is a file; `way_back` is the text of the policy before."""

    def __init__(self, staging: Path, policies: Policies, pushed: PushedPolicies) -> None:
        self._staging = staging
        self._policies = policies
        self._pushed = pushed

    def present(self, update: Update) -> Sequence[Path]:
        """See Installer: a policy is less than a chunk."""
        return ()

    async def stage(self, update: Update, content: Content) -> str:
        """See Installer."""
        if [file.path for file in content.manifest.files] != [FILE]:
            raise InstallRefused("not_a_policy", f"A policy is one file, {FILE}.")
        if content.manifest.size > POLICY_BYTES_MAX:
            raise InstallRefused("not_a_policy", f"It has over {POLICY_BYTES_MAX} bytes.")
        private_folder(self._staging)
        target = self._staging / f"{update.name}-{update.version}"
        await asyncio.to_thread(content.write, FILE, target)
        return str(target)

    async def gate(self, update: Update, staged: str) -> Figures:
        """See Installer: it is read, and held against the site's own."""
        try:
            self._policies.judge(_read(staged))
        except PosternError as error:
            raise InstallRefused(error.code, error.detail) from error
        if not await asyncio.to_thread(self._pushed.takes, update.name):
            raise InstallRefused(
                "too_many_policies", f"There are {PUSHED_MAX} here; with more nothing would leave."
            )
        return Figures()

    async def way_back(self, update: Update, staged: str) -> str:
        """See Installer."""
        return await asyncio.to_thread(self._pushed.text_of, update.name)

    async def activate(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer. The site may have signed another policy since the gate."""
        await self.gate(update, staged)
        text = await asyncio.to_thread(Path(staged).read_text, "utf-8")
        await asyncio.to_thread(self._pushed.put, update.name, text)

    async def health(self, update: Update, staged: str) -> str:
        """See Installer."""
        return ""

    async def settle(self, update: Update) -> None:
        """See Installer."""

    async def keep(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        Path(staged).unlink(missing_ok=True)

    async def roll_back(self, update: Update, staged: str, way_back: str) -> None:
        """See Installer."""
        await asyncio.to_thread(self._pushed.put, update.name, way_back)
        Path(staged).unlink(missing_ok=True)

    async def discard(self, update: Update, staged: str) -> None:
        """See Installer."""
        if staged:
            Path(staged).unlink(missing_ok=True)


def _read(staged: str) -> Policy:
    """Raises InstallRefused, BadPolicy, OSError."""
    try:
        return parse(Path(staged).read_bytes().decode("utf-8"))
    except UnicodeDecodeError:
        raise InstallRefused("not_a_policy", "It is no text.") from None
