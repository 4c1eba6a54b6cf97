"""How the node does, for the watch over an update: sums that outlive a restart, and the site's own golden questions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Final, Protocol

from sqlite_utils import Database

from edge.store import daily_counts
from edge.store.store import Store
from edge.updates.watching import Baseline, Vitals, share

BASELINE_DAYS: Final = 7
"""A week has every weekday once."""

UNANSWERED: Final = ("clarify", "handoff", "refuse")
"""Routes of a turn that got no answer."""


class Observes(Protocol):
    """What the updater asks."""

    async def baseline(self, now_ms: int) -> str:
        """How it is now and was in the week before, as text that is kept."""

    async def now(self, baseline: str) -> tuple[Baseline, Vitals]:
        """As it was, and is."""


class Probes(Protocol):
    """`edge.updates.probing.Probe`. Blocking, and asked in a thread."""

    def begin(self) -> float | None:
        """Asked anew, as something is about to change."""

    def __call__(self) -> float | None:
        """As it is, or was a little while ago."""


class NodeVitals:
    """Of a running node."""

    def __init__(
        self,
        store: Store,
        egress: Callable[[], tuple[int, float]],
        fallbacks: Callable[[], tuple[str, ...]],
        probe: Probes,
    ) -> None:
        """`egress`: bytes since the node started, and seconds."""
        self._store = store
        self._egress = egress
        self._fallbacks = fallbacks
        self._probe = probe

    async def baseline(self, now_ms: int) -> str:
        """See Observes."""
        day = now_ms // 1000 // daily_counts.DAY_S - BASELINE_DAYS
        turns, unanswered = await self._store.read(lambda db: _turns(db, day))
        sent, seconds = self._egress()
        at = Vitals(turns, unanswered, sent, await asyncio.to_thread(self._probe.begin), self._fallbacks())
        kept = {"at": asdict(at), "day": day, "egress_per_s": sent / max(seconds, 1.0)}
        return json.dumps(kept | {"unanswered_share": share(unanswered, turns)})

    async def now(self, baseline: str) -> tuple[Baseline, Vitals]:
        """See Observes."""
        kept = json.loads(baseline)
        at = Vitals(**kept["at"] | {"fallbacks": tuple(kept["at"]["fallbacks"])})
        turns, unanswered = await self._store.read(lambda db: _turns(db, int(kept["day"])))
        probes = None if at.probes is None else await asyncio.to_thread(self._probe)
        now = Vitals(turns, unanswered, self._egress()[0], probes, self._fallbacks())
        return Baseline(at, kept["unanswered_share"], kept["egress_per_s"]), now


def _turns(db: Database, day: int) -> tuple[int, int]:
    """Turns since a day, and those of them that got no answer."""
    routes = daily_counts.since(db, day).get("turns", {})
    return sum(routes.values()), sum(routes.get(route, 0) for route in UNANSWERED)
