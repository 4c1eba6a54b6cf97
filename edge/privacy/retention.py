"""How long each table's rows are kept, and which of them are due: a rule a table, for every table. No I/O, no clock.

A row is dated by a column; it is due once so many whole days have passed since, not a moment earlier. Times are
milliseconds since 1970, UTC, so no change between summer and winter time moves anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from core.clock_trust import DAY_MS
from edge.config.retention import YEARS_6, RetentionSection, years

CONSENTS_MAX: Final = 5_000_000
"""Three years of 2,200 conversations a day, in a gigabyte: a script at a screen must not fill the disk."""


class Keeper(StrEnum):
    """Who sees to it that rows go."""

    RETENTION = "retention"
    """Purged by age (`edge/privacy/retaining.py`)."""
    CONVERSATION = "conversation"
    """With its conversation, within seconds of its end (`edge/chat/session.py`)."""
    TICKET = "ticket"
    """With its ticket (`edge/chat/handoff.py`)."""
    PART = "part"
    """By the part of the program that alone knows when it needs them no more."""
    STAFF = "staff"
    """When somebody removes them."""


@dataclass(frozen=True)
class Rule:
    """When rows of a table go.

    ends      in words, what the days are counted from, or what ends it
    keeper    who sees to it
    dated_by  the column that dates a row, milliseconds since 1970; with `by_day` days, each of which ends as it is over
    days      kept after that; None: not by age
    rows_max  how many rows there may be; beyond it the oldest go, whatever their age
    only      a condition of SQL that a row must meet as well to be due; parameter: `:notice`, the version in force
    held      a condition of SQL that a row of a subject under a legal hold meets, which is not due. Parameters:
              `:subjects`, `:digests` (hexadecimal), `:labels`, each a JSON list
    """

    ends: str
    keeper: Keeper
    dated_by: str = ""
    days: int | None = None
    by_day: bool = False
    rows_max: int | None = None
    only: str = ""
    held: str = ""

    @property
    def purged(self) -> bool:
        """Whether rows go by their age alone."""
        return self.keeper is Keeper.RETENTION

    @property
    def kept(self) -> str:
        """How long, in words."""
        if self.days is None or not self.purged:
            return _KEPT[self.keeper]
        return said(self.days) if self.days else "until its end"

    def due_until(self, now_ms: int) -> int:
        """What dates a row that is due at `now_ms`, at most: in the unit of `dated_by`."""
        last_ms = now_ms - (self.days or 0) * DAY_MS
        # A day is over as the next one begins.
        return last_ms // DAY_MS - 1 if self.by_day else last_ms

    def began_ms(self, dated: int) -> int:
        """The moment that `dated` stands for; of a day its beginning."""
        return dated * DAY_MS if self.by_day else dated

    def due_ms(self, dated: int) -> int | None:
        """When a row that `dated_by` dates so is due."""
        return None if self.days is None else self.began_ms(dated) + (self.days + self.by_day) * DAY_MS


_KEPT: Final = {
    Keeper.RETENTION: "",
    Keeper.CONVERSATION: "conversation",
    Keeper.TICKET: "ticket",
    Keeper.PART: "while needed",
    Keeper.STAFF: "until removed",
}


def said(days: int) -> str:
    """A number of days in words: whole years as years."""
    count = int(days // 365.25)
    if count and days == years(count):
        return f"{count} year{'s' * (count > 1)}"
    return f"{days} day{'s' * (days != 1)}"


_SUBJECTS: Final = "(SELECT value FROM json_each(:subjects))"
_HELD_SESSION: Final = f"session IN (SELECT id FROM sessions WHERE subject IN {_SUBJECTS})"  # noqa: S608 - ours
_HELD_DIGEST: Final = "hex(digest) IN (SELECT value FROM json_each(:digests))"
_HELD_LABEL: Final = "object IN (SELECT value FROM json_each(:labels))"

_WITH_IT: Final = Rule("until its conversation ends", Keeper.CONVERSATION)
_SAID: Final = Rule("until a minute after the ticket is closed, or it is taken back", Keeper.TICKET)
_SENT: Final = "until the control plane has committed it"
_UNUSED_NOTICE: Final = (
    "version <> :notice AND version NOT IN (SELECT notice_version FROM consents) AND version NOT IN "
    "(SELECT notice_version FROM api_keys WHERE notice_version IS NOT NULL)"
)


def rules(settings: RetentionSection) -> dict[str, Rule]:
    """The rule of every table, in the file of the site and in that of its subjects' keys."""
    return {**_people(settings), **_site(settings), **_staff(settings), **_operations(settings), **_keys()}


def _people(settings: RetentionSection) -> dict[str, Rule]:
    used = Rule(
        "after it was handed on; whose it was is forgotten with the conversation",
        Keeper.RETENTION,
        "at_ms",
        settings.uses_days,
        held=_HELD_SESSION,
    )
    return {
        "subjects": Rule(
            "until the last conversation of the subject ends", Keeper.CONVERSATION, "created_ms"
        ),
        "sessions": Rule(
            "until it is ended, by its silence or after its whole time", Keeper.CONVERSATION, "expires_ms", 0
        ),
        "turns": replace(_WITH_IT, dated_by="created_ms"),
        "citations": _WITH_IT,
        "consents": Rule(
            f"after it was said; beyond {CONSENTS_MAX:,} the oldest go",
            Keeper.RETENTION,
            "at_ms",
            settings.consents_days,
            rows_max=CONSENTS_MAX,
            held=_HELD_DIGEST,
        ),
        "pseudonyms": _WITH_IT,
        "feedback": replace(_WITH_IT, dated_by="created_ms"),
        "handoffs": Rule("until a day after the ticket is over", Keeper.TICKET, "created_ms"),
        "messages": replace(_SAID, dated_by="created_ms"),
        "notifications": _SAID,
        "lan_uses": used,
        "text_uses": used,
    }


def _site(settings: RetentionSection) -> dict[str, Rule]:
    document = Rule("until somebody removes the document", Keeper.STAFF)
    return {
        "documents": replace(document, dated_by="added_ms"),
        "differences": Rule("until one of the documents is changed or removed", Keeper.PART, "noted_ms"),
        "document_versions": Rule(
            "until no answer quotes it, but ten minutes after it was replaced",
            Keeper.PART,
            "replaced_ms",
        ),
        "chunks": document,
        "vectors_before": Rule(
            "until another encoder takes the place of the one that serves, or the document goes", Keeper.PART
        ),
        "unanswered": Rule("after it was asked", Keeper.RETENTION, "created_ms", settings.unanswered_days),
        "examples": Rule(
            "until somebody removes it; beyond 10,000 the oldest go", Keeper.STAFF, "created_ms"
        ),
        "site_models": Rule("until newer versions have served", Keeper.PART, "created_ms"),
        "notices": Rule(
            "after it was first shown, and as long as a consent or a program refers to it",
            Keeper.RETENTION,
            "first_ms",
            YEARS_6,
            only=_UNUSED_NOTICE,
        ),
    }


def _staff(settings: RetentionSection) -> dict[str, Rule]:
    return {
        "operators": Rule("until somebody removes the account", Keeper.STAFF, "created_ms"),
        "operator_sessions": Rule("until the login ends", Keeper.RETENTION, "expires_ms", 0),
        "api_keys": Rule(
            "after it was revoked",
            Keeper.RETENTION,
            "revoked_ms",
            settings.revoked_keys_days,
            only="revoked_ms IS NOT NULL",
        ),
        "audit": Rule("after it happened", Keeper.RETENTION, "at_ms", settings.audit_days, held=_HELD_LABEL),
    }


def _operations(settings: RetentionSection) -> dict[str, Rule]:
    return {
        "meta": Rule("until what it says holds no more", Keeper.PART),
        "continuations": Rule(
            "until the conversation's whole time is over", Keeper.RETENTION, "expires_ms", 0
        ),
        "intent_counts": Rule(
            "after the day that is counted", Keeper.RETENTION, "day", settings.intent_counts_days, by_day=True
        ),
        "daily_counts": Rule(
            "after the day that is counted", Keeper.RETENTION, "day", settings.daily_counts_days, by_day=True
        ),
        "counters": Rule("until they are summed up for the day and the control plane", Keeper.PART),
        "outbox": Rule(_SENT, Keeper.PART, "created_ms"),
        "outbox_sizes": Rule("while there is an outbox: a sum of what waits", Keeper.PART),
        "updates": Rule("until a hundred newer ones have ended", Keeper.PART, "changed_ms"),
        "desired": Rule("until ten newer ones have come", Keeper.PART, "received_ms"),
    }


def _keys() -> dict[str, Rule]:
    return {
        "subject_keys": Rule(
            "until the last conversation of the subject ends, or the ticket",
            Keeper.CONVERSATION,
            "created_ms",
        ),
        "erasures": Rule(
            "after it was erased: longer than a backup is kept", Keeper.RETENTION, "erased_ms", YEARS_6
        ),
        "holds": Rule("until somebody releases it", Keeper.STAFF, "placed_ms"),
        "backups": Rule("after it was made", Keeper.RETENTION, "made_ms", YEARS_6),
    }
