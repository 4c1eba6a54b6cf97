"""What staff say about a document apart from its text, how it is changed, and how its dates are written. Pure rules.

A day as `valid_from` begins at its midnight; a day as `valid_until` is the last on which the document answers. Both
are days of the zone of the site's machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from core.errors import ExitCode, PosternError
from edge.knowledge.document import Audience, Metadata, State, Validity

# Longest name of an owner, code points: a person and a department.
OWNER_CHARS_MAX = 100
# How "without this bound" is written.
OPEN = "none"


class BadMetadata(PosternError):
    """A date, an owner or a pair of dates that cannot be."""

    code = "bad_metadata"
    title = "These details of a document do not fit"
    remedy = "Write dates as 2026-12-31 or 2026-12-31T18:00, or none; the first before the last."
    status = 422
    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a validity, milliseconds since the epoch; None is open."""

    at_ms: int | None


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """What to change; None leaves what is there, and what a new document has by itself."""

    audience: Audience | None = None
    owner: str | None = None
    state: State | None = None
    valid_from: Bound | None = None
    valid_until: Bound | None = None

    def applied_to(self, old: Metadata) -> Metadata:
        """The metadata after the change. Raises BadMetadata."""
        valid = Validity(
            self.valid_from.at_ms if self.valid_from else old.valid.from_ms,
            self.valid_until.at_ms if self.valid_until else old.valid.until_ms,
        )
        if valid.from_ms is not None and valid.until_ms is not None and valid.from_ms >= valid.until_ms:
            raise BadMetadata("The document would end before it begins.")
        if self.owner is not None and len(self.owner) > OWNER_CHARS_MAX:
            raise BadMetadata(f"The owner has more than {OWNER_CHARS_MAX} characters.")
        return replace(
            old,
            audience=self.audience or old.audience,
            owner=old.owner if self.owner is None else " ".join(self.owner.split()),
            state=self.state or old.state,
            valid=valid,
        )


def first_moment(text: str) -> Bound:
    """`valid_from` as it is written: a day, a day with a time, or "none". Raises BadMetadata."""
    return _bound(text, days=0)


def last_moment(text: str) -> Bound:
    """`valid_until` as it is written: the day is included. Raises BadMetadata."""
    return _bound(text, days=1)


def written(at_ms: int | None) -> str | None:
    """A moment as ISO 8601 with the machine's zone; None stays None."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000).astimezone().isoformat(timespec="seconds")


def as_json(metadata: Metadata) -> dict[str, str | None]:
    """As commands and pages show it."""
    return {
        "audience": metadata.audience.value,
        "owner": metadata.owner,
        "state": metadata.state.value,
        "valid_from": written(metadata.valid.from_ms),
        "valid_until": written(metadata.valid.until_ms),
    }


def _bound(text: str, days: int) -> Bound:
    text = text.strip()
    if text.casefold() == OPEN:
        return Bound(None)
    try:
        return Bound(round(_moment(text, days).timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        raise BadMetadata(f"{text!r} is no date.") from None


def _moment(text: str, days: int) -> datetime:
    """A moment as it stands there, or the midnight that begins a day or `days` later ones."""
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=days), time.min)
    except ValueError:
        return datetime.fromisoformat(text)
