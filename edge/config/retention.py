"""How long the site keeps what is not forgotten with a conversation or a ticket."""

from __future__ import annotations

import math
from typing import Final

from pydantic import Field

from edge.config.section import Section


def years(count: int) -> int:
    """Days that are never less than `count` years, whichever of them is a leap year."""
    return math.ceil(count * 365.25)


MONTH_DAYS: Final = 30

YEARS_1: Final = years(1)

YEARS_3: Final = years(3)
"""The usual period of limitation: for as long somebody may ask for the proof of a consent (GDPR Art. 7(1))."""

YEARS_6: Final = years(6)
"""HIPAA asks for six years of documentation (45 CFR 164.316(b)(2)(i))."""

YEARS_10: Final = years(10)

YEARS_20: Final = years(20)


class RetentionSection(Section):
    """Days, each counted from the moment that dates a row. A row is gone within the hour after its last day."""

    # A month tells the trend, and what is asked often is asked again. Customers' words, so never more than a year.
    unanswered_days: int = Field(default=MONTH_DAYS, ge=1, le=YEARS_1)
    # About no single person.
    daily_counts_days: int = Field(default=MONTH_DAYS, ge=1, le=YEARS_10)
    intent_counts_days: int = Field(default=YEARS_6, ge=MONTH_DAYS, le=YEARS_20)
    # What was handed on, without its text. The policy's budgets need the last day.
    uses_days: int = Field(default=MONTH_DAYS, ge=2, le=YEARS_3)
    # Less than a year proves nothing to anybody who asks.
    consents_days: int = Field(default=YEARS_3, ge=YEARS_1, le=YEARS_10)
    # Never less than the law's six years.
    audit_days: int = Field(default=YEARS_6, ge=YEARS_6, le=YEARS_20)
    # After it was revoked. The audit says for longer that there was one.
    revoked_keys_days: int = Field(default=YEARS_1, ge=1, le=YEARS_10)
