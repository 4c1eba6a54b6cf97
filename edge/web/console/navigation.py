"""The console's pages in the order of the bar; who sees which is told by `rules`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge.web.console.rules import may


@dataclass(frozen=True)
class Place:
    """One entry of the bar. One with `parts` leads to the first of them that somebody may see."""

    path: str
    label: str
    action: str
    count: str = ""
    """Path of a number to show beside the label, such as of what waits."""
    parts: tuple[Place, ...] = ()


NAVIGATION: tuple[Place, ...] = (
    Place("/", "Overview", "overview.view"),
    Place("/inbox", "Inbox", "inbox.view", count="/inbox/count"),
    Place("/documents", "Documents", "documents.view"),
    Place("/unanswered", "Unanswered", "unanswered.view"),
    Place("/intents", "Intents", "intents.view"),
    Place("/learning", "Learning", "learning.view"),
    Place("/figures", "Figures", "figures.view"),
    Place("/devices", "Devices", "devices.view"),
    Place(
        "",
        "Data protection",
        "",
        parts=(
            Place("/people", "People", "people.view"),
            Place("/retention", "Retention", "retention.view"),
            Place("/keys", "Keys", "keys.view"),
            Place("/backups", "Backups", "backups.view"),
            Place("/privacy", "Policy", "privacy.view"),
            Place("/audit", "Audit", "audit.view"),
            Place("/reports", "Reports", "reports.view"),
        ),
    ),
    Place("/api-keys", "API keys", "api-keys.view"),
    Place("/operators", "Operators", "operators.view"),
)


@dataclass(frozen=True)
class Entry:
    """An entry of the bar as somebody sees it. `current`: the value of aria-current, empty for elsewhere."""

    path: str
    label: str
    current: str
    count: str = ""
    parts: tuple[Entry, ...] = ()


def bar(roles: frozenset[str], path: str, places: tuple[Place, ...] = NAVIGATION) -> Iterator[Entry]:
    """What somebody with these roles sees on the page at `path`."""
    for place in places:
        parts = tuple(bar(roles, path, place.parts))
        if parts:
            here = "true" if any(part.current for part in parts) else ""
            yield Entry(parts[0].path, place.label, here, parts=parts)
        elif may(roles, place.action):
            yield Entry(place.path, place.label, _current(place.path, path), place.count)


def _current(place: str, path: str) -> str:
    if place == path:
        return "page"
    return "true" if place != "/" and path.startswith(f"{place}/") else ""
