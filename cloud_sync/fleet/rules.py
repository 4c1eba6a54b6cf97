"""When a node is called live or late, its configuration current or rejected. Pure: no I/O, no clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from cloud_sync.store.node_search import LATE, LIVE, NEW, OFFLINE, REVOKED_STATE, StateLine
from cloud_sync.store.nodes import REVOKED, NodeRow
from core.webshell.formats import span

# Ten seconds: a fleet page that is never older than a sip of coffee, and about 0.1 kbit/s a node.
HEARTBEAT_INTERVAL = timedelta(seconds=10)
# Two heartbeats and a half: one lost to a reconnect is nothing yet.
LATE_AFTER = HEARTBEAT_INTERVAL * 2.5
# The node's pause between attempts to connect grows to 15 s; far beyond that it is gone, not slow.
OFFLINE_AFTER = timedelta(seconds=90)


def node_state(row: NodeRow, connection_lost: bool, now: datetime) -> str:
    """live | late | offline | new | revoked. A lost connection is late at once, without waiting for a heartbeat."""
    if row.status == REVOKED:
        return REVOKED_STATE
    if row.last_seen is None:
        return NEW
    silent = now - row.last_seen
    if silent > OFFLINE_AFTER:
        return OFFLINE
    return LATE if connection_lost or silent > LATE_AFTER else LIVE


def state_line(lost: frozenset[str], now: datetime) -> StateLine:
    """By what the database judges states, the same as `node_state`."""
    return StateLine(late_before=now - LATE_AFTER, offline_before=now - OFFLINE_AFTER, lost=lost)


def state_text(state: str, row: NodeRow, now: datetime) -> str:
    """The state as a sentence."""
    heard = f"last heard from {span(now - row.last_seen)} ago" if row.last_seen else "never heard from"
    return {
        LIVE: f"Connected; {heard}.",
        LATE: f"Not answering, or connecting again; {heard}.",
        OFFLINE: f"Offline; {heard}. It goes on answering customers at its site.",
        NEW: "Enrolled, but it has never connected.",
        REVOKED_STATE: f"Revoked: its certificate is no longer accepted; {heard}.",
    }[state]


def config_state(row: NodeRow, wanted_generation: int | None) -> tuple[str, str]:
    """(none | current | pending | rejected, the same as a sentence)."""
    if wanted_generation is None:
        return "none", "Nothing set."
    if (row.rejected_field or row.rejected_reason) and row.observed_generation == wanted_generation:
        why = f"{row.rejected_field}: {row.rejected_reason}"
        return "rejected", f"Rejected generation {wanted_generation}: {why}."
    if row.applied_generation == wanted_generation:
        return "current", f"Up to date (generation {wanted_generation})."
    runs = f"generation {row.applied_generation}" if row.applied_generation else "its own settings"
    return "pending", f"Generation {wanted_generation} is on its way; the node runs {runs}."


def turns_of(counts: dict[str, int]) -> int | None:
    """Turns among a node's counts; None when every cell was too small to show, or none came."""
    cells = [total for name, total in counts.items() if name.startswith("turns.")]
    return sum(cells) if cells else None
