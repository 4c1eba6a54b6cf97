"""`postern privacy retention` and `postern privacy consents`: arguments → one call. No logic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from edge.commands.operators import user
from edge.commands.people import Subject, named
from edge.commands.terminal import Json, Site, operate_on, write


def retention(site: Site, as_json: Json = False) -> None:
    """How long each table's rows are kept, how many there are, and when the oldest is due."""
    found = operate_on(site, "privacy.retention", {})
    write(found, as_json, "\n".join(map(_line, found)))


def consents(site: Site, subject: Subject, as_json: Json = False) -> None:
    """What a subject was told and agreed to, and took back; oldest first."""
    found = operate_on(site, "privacy.consents", {"subject": named(subject), "actor": user()})
    lines = [
        f"{_when(row['at_ms'])}  {row['purpose']:8}  {'given' if row['given'] else 'not given'}, "
        f"notice {row['notice_version']}"
        for row in found
    ]
    write(found, as_json, "\n".join(lines) or "This subject was not asked to agree to anything.")


def _when(moment_ms: int) -> str:
    """A moment that may be years away, in this machine's own time."""
    return f"{datetime.fromtimestamp(moment_ms / 1000).astimezone():%Y-%m-%d %H:%M}"


def _line(row: dict[str, Any]) -> str:
    due = f", the oldest until {_when(row['due_ms'])}" if row["due_ms"] is not None else ""
    return f"{row['table']:18} {row['kept']:24} {row['rows']:8}{due}\n{'':18} {row['rule']}"
