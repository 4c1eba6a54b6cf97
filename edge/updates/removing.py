"""What came as an update and was kept, taken off by the site: a policy or a pack that the control plane wants no more.

Models and software are not taken off but replaced: something must serve.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlite_utils import Database

from core.errors import ExitCode, PosternError
from edge.privacy.pushed_policies import PushedPolicies
from edge.store.store import Store
from edge.updates import rows
from edge.updates.knowledge_installer import KnowledgeInstaller

_REPLACED: Final = {
    "model": "Let another one serve: postern models use --site DIR NAME, or with --previous the version before.",
    "software": "Bring another version: the control plane's next one, or the installer.",
}
_POLICY: Final = "policy"


class UpdateStays(PosternError):
    """It is not taken off, and nothing has changed."""

    code = "update_stays"
    title = "What came as an update is not taken off"
    remedy = "See `postern updates show`."
    status = 409
    exit_code = ExitCode.REFUSED


class NoSuchUpdate(PosternError):
    """Nothing of that name came as an update, or it was taken off already."""

    code = "no_such_update"
    title = "Nothing of that name is here"
    remedy = "See the names with `postern updates show`."
    status = 404


@dataclass(frozen=True)
class Removed:
    """What was taken off. `version`: "" where it is not known any more."""

    kind: str
    name: str
    version: str


class Removing:
    """Of an open site, whether its node runs or not."""

    def __init__(self, store: Store, policies: PushedPolicies, packs: KnowledgeInstaller) -> None:
        self._store = store
        self._policies = policies
        self._packs = packs

    async def remove(self, kind: str, name: str, at_ms: int, *, looser: bool, gone: bool = False) -> Removed:
        """Take it off for good. `looser`: whether somebody has agreed that without it more text may leave.
        `gone`: whether somebody says that nobody is there who wants it: the node's own record of it is the last word
        of a control plane that has revoked the node, or is no more.

        What a stop cut off is done by asking again. Raises UpdateStays, NoSuchUpdate, OSError.
        """
        if kind in _REPLACED:
            raise UpdateStays(f"A {kind} cannot be taken off: something must serve.", remedy=_REPLACED[kind])
        here = await (
            asyncio.to_thread(self._policies.has, name) if kind == _POLICY else self._packs.has(name)
        )
        if kind == _POLICY and here and not looser:
            raise UpdateStays(
                f"Without {name} the policy that the site has signed itself holds, and others that came: "
                "more text may leave.",
                remedy="If that is meant, ask again with --yes.",
            )
        # First what is known, then the disk: what is known as kept would not be installed again.
        version = await self._store.write(
            partial(_take_off, kind=kind, name=name, here=here, gone=gone, at_ms=at_ms)
        )
        if kind == _POLICY:
            await asyncio.to_thread(self._policies.put, name, "")
        else:
            await self._packs.remove(name)
        return Removed(kind, name, version)


def _take_off(db: Database, kind: str, name: str, here: bool, gone: bool, at_ms: int) -> str:
    """The version that was kept. Raises UpdateStays, NoSuchUpdate."""
    what = f"{kind}/{name}"
    if any((row.update.kind, row.update.name) == (kind, name) for row in rows.running(db)):
        raise UpdateStays(
            f"An update of {what} is under way.",
            remedy="Wait until it has ended, or have its rollout aborted at the control plane.",
        )
    if not gone and (kind, name) in _wanted(db):
        raise UpdateStays(
            f"The control plane wants {what} on this node: it would come back.",
            remedy="Have its rollout aborted at the control plane, also one that is done, and ask again here. Where "
            "the control plane is gone for good, or has revoked this node, ask again with --gone.",
        )
    kept = rows.take_off(db, kind, name, at_ms)
    if kept is None and not here:
        raise NoSuchUpdate(f"No {what} is here.")
    return kept.update.version if kept else ""


def _wanted(db: Database) -> set[tuple[str, str]]:
    """Kind and name of what the desired state that the node runs by asks for."""
    found = db.execute(
        "SELECT document FROM desired WHERE state = 'applied' ORDER BY generation DESC LIMIT 1"
    ).fetchone()
    document = {} if found is None else json.loads(found[0])
    return {(one["kind"], one["name"]) for one in document.get("updates", ())}
