"""The console's pages in the order of the bar; who sees which is told by `rules`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One entry of the bar."""

    path: str
    label: str
    action: str
    count: str = ""
    """Path of a number to show beside the label, such as of what waits."""


NAVIGATION: tuple[Place, ...] = (
    Place("/", "Overview", "overview.view"),
    Place("/inbox", "Inbox", "inbox.view", count="/inbox/count"),
    Place("/documents", "Documents", "documents.view"),
    Place("/unanswered", "Unanswered", "unanswered.view"),
    Place("/intents", "Intents", "intents.view"),
    Place("/learning", "Learning", "learning.view"),
    Place("/figures", "Figures", "figures.view"),
    Place("/devices", "Devices", "devices.view"),
    Place("/privacy", "Privacy", "privacy.view"),
    Place("/api-keys", "API keys", "api-keys.view"),
    Place("/operators", "Operators", "operators.view"),
    Place("/audit", "Audit", "audit.view"),
)
