"""The policies that text is judged under now: the site's own, and what the control plane has tightened it with.

The file is looked at for every decision, so that a policy that is gone, edited or replaced counts at once; it is read
and verified again only when it has changed. A failure is a refusal (`RefusedByPolicy`, `ConfigError`), never an older
policy.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from core.errors import RefusedByPolicy
from edge.config import SitePaths
from edge.privacy import policy_files
from edge.privacy.policy import BadPolicy, Policy, from_table, stricter
from edge.privacy.policy_files import SignedPolicy

NOTHING: Final = Policy(format=1, name="nothing", valid_until=date.max)
"""Stands for a policy of the control plane that was accepted once and cannot be read any more."""


class PolicyLooser(RefusedByPolicy):
    """The control plane has sent a policy that permits something which the site's own does not."""

    code = "policy_looser"
    title = "The control plane may tighten the site's policy, not loosen it"
    remedy = (
        "Only the site loosens: have its data-protection officer sign such a policy there. One that came as an update "
        "still narrows it until it is taken off: `postern updates remove`."
    )


class PolicyFile:
    """The site's signed file, read again when it has changed."""

    def __init__(self, paths: SitePaths, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._paths = paths
        self._watched = (paths.policy, paths.policy_public_key)
        self._now = now
        self._read_at: tuple[object, ...] = ()
        self._found: SignedPolicy | None = None

    def __call__(self) -> Policy:
        """The policy. Raises PolicyMissing, PolicyUnsigned, PolicyKeyMissing, BadPolicy."""
        return self.signed().policy

    def signed(self) -> SignedPolicy:
        """The same, with its text and when it was signed."""
        marks = tuple(map(_mark, self._watched))
        if self._found is None or marks != self._read_at:
            self._found = None
            self._found = policy_files.load(self._paths, self._now())
            self._read_at = marks
        return self._found


class Policies:
    """Used from one event loop. `site` reads the site's own policy and raises when there is none to go by."""

    def __init__(
        self,
        site: Callable[[], Policy],
        cloud: Policy | None = None,
        pushed: Callable[[], tuple[Policy, ...]] = tuple,
    ) -> None:
        """`pushed`: policies that came as updates; they narrow too."""
        self._site = site
        self._pushed = pushed
        self.cloud = cloud
        """Of the desired state that the site runs by. It narrows, whatever the site signs, until a state without one is
        taken over: then the site's own holds alone."""

    def narrowing(self) -> tuple[Policy, ...]:
        """What the control plane has tightened the site's own with."""
        return (*([self.cloud] if self.cloud else []), *self._pushed())

    def in_force(self) -> tuple[Policy, ...]:
        """Text passes what all of them permit (`policy.decide_under`). Raises what `site` raises."""
        return (self._site(), *self.narrowing())

    def judge(self, proposed: Policy) -> None:
        """Raises PolicyLooser for what is not stricter than the site's own policy, or what `site` raises."""
        if not stricter(proposed, self._site()):
            raise PolicyLooser


def accepted_from_cloud(db: Database) -> Policy | None:
    """The policy in the desired state that the site runs by; None where that has none."""
    row = db.execute(
        "SELECT document FROM desired WHERE state = 'applied' ORDER BY generation DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    try:
        table = json.loads(row[0]).get("policy")
        return None if table is None else from_table(table)
    except (BadPolicy, ValueError, AttributeError):
        return NOTHING


def _mark(path: Path) -> tuple[int, ...]:
    """Changes whenever the file does; empty where there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size)
