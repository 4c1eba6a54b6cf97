"""Small words that several parts of a report share: times, lists, what is open and what is not. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from edge.privacy.policy import Purpose
from edge.privacy.report.facts import Facts, LanguageFacts


def duration(seconds: int) -> str:
    """ "90 seconds", "10 minutes", "24 hours", "30 days": the largest unit that says it in whole numbers."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if (seconds >= 2 * length and seconds % length == 0) or seconds == length:
            return _counted(seconds // length, unit)
    return _counted(seconds, "second")


def joined(words: Iterable[str], last: str = "and") -> str:
    """ "a, b and c"."""
    *before, end = [*words] or [""]
    return f"{', '.join(before)} {last} {end}" if before else end


def text_may_go(facts: Facts, purpose: Purpose | None = None) -> bool:
    """Whether something at this site hands text on, and the policy in force lets any go; for any purpose, or one."""
    return any(told.open and told.used and purpose in {None, told.purpose} for told in facts.policy.purposes)


def missed(language: LanguageFacts) -> str:
    """ "names 3 % of 265 (at most 6 %); …"."""
    return "; ".join(
        f"{group.group} {group.missed / group.of:.0%} of {group.of:,} (at most {group.at_most:.0%})"
        for group in language.missed
    )


def number(count: int) -> str:
    """With a comma at the thousands."""
    return f"{count:,}"


def _counted(count: int, unit: str) -> str:
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"
