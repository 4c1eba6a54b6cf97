"""What came of documents that were added."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AddReport:
    """What came of each document, by id: its text came in, nothing changed, only its metadata did, it is gone from its
    folder, or why it was not taken in."""

    added: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


@dataclass
class Outcome:
    """While it goes on."""

    added: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Documents; those that are gone were none to read."""
        return len(self.added) + len(self.unchanged) + len(self.updated) + len(self.failed)

    def report(self) -> AddReport:
        """As it ended."""
        return AddReport(
            tuple(self.added),
            tuple(self.unchanged),
            tuple(self.updated),
            tuple(self.removed),
            tuple(self.failed),
        )
