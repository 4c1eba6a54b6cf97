"""What a text holds: times, prices, numbers, places, telephone numbers; days of the week; "not". Pure.

Rules for English. In another language they find little, and the other signs of an answer decide alone.
"""

from __future__ import annotations

import re
from enum import StrEnum

from core.pattern_set import PatternSet

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Days as bits, Monday's the lowest.
_WEEKDAYS = 0b0011111
_WEEKEND = 0b1100000
_ALL_DAYS = 0b1111111


class Kind(StrEnum):
    """A kind of fact."""

    TIME = "time"
    DURATION = "duration"
    PRICE = "price"
    NUMBER = "number"
    PLACE = "place"
    CONTACT = "contact"
    PERMISSION = "permission"


# Of what a text holds (`of`) the bit of "not"; before it are the kinds of fact, in order.
NEGATIVE = 1 << len(Kind)
# "Without interest" and "unless" narrow a sentence down; what has this bit turns it round.
DENIES = 2 * NEGATIVE
_NAMES_DAYS = ~(2 * DENIES - 1)
_PLACES = {kind: place for place, kind in enumerate(Kind)}

_MONEY = (
    r"[£$€]\s?\d|\b\d[\d.,]*\s?(?:p|pence|pounds?|euros?|dollars?|cents?|eur|usd|gbp)\b|"
    r"\bfree\b|\bno (?:charge|fee|cost)\b|%"
)
_CLOCK = (
    r"\b\d{1,2}(?:[:.]\d{2})?\s?(?:am|pm|a\.m\.|p\.m\.|o'clock)|\b\d{1,2}[:.]\d{2}\b|\bnoon\b|\bmidnight\b|"
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:closed|shut|weekends?|daily)\b|"
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december)\b|\b\d{1,2} may\b"
)
_NUMBER_WORD = (
    r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|half|an?)"
)
_SPAN = (
    rf"\b{_NUMBER_WORD}[ -](?:working |calendar |business )?(?:minutes?|hours?|days?|weeks?|months?|years?|nights?)\b"
    r"|\b(?:same|next) (?:working )?day\b|\bimmediately\b|\bat once\b"
)
_DIGIT = r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty)\b"
_WHERE = (
    r"\b(?:floor|room|building|entrance|corridor|lobby|foyer|hall|street|road|lane|square|avenue|opposite|next to|"
    r"behind|beside|upstairs|downstairs|desk|counter|reception|window|left|right|online|by post|at the)\b"
)
_REACH = r"\d{3,}[ -]?\d{3,}|\S+@\S+\.\w|\b(?:ring|call|phone|e-?mail|text)\b"
_LEAVE = (
    r"\b(?:can|cannot|can't|may|must|need|needs|not|no|never|only|free|allowed|required|have to|has to|unless|yes|"
    r"without|every|any|all|welcome|accept|offer|provide)\b"
)
_HOLDS = {
    Kind.TIME: _CLOCK,
    Kind.DURATION: _SPAN,
    Kind.PRICE: _MONEY,
    Kind.NUMBER: _DIGIT,
    Kind.PLACE: _WHERE,
    Kind.CONTACT: _REACH,
    Kind.PERMISSION: _LEAVE,
}

_NEGATIVE = (
    r"\b(?:not|no|never|cannot|can't|don't|doesn't|won't|isn't|aren't|without|neither|nor|unless|except)\b"
)

_DENIES = r"\b(?:not|no|never|cannot|can't|don't|doesn't|won't|isn't|aren't)\b"

_DAY = r"(mon|tue|wed|thu|fri|sat|sun)[a-z]*"
_DAY_RANGE = re.compile(rf"\b{_DAY}\.?\s*(?:to|until|till|through|-|–|—)\s*{_DAY}\b", re.I)
_DAY_WORD = re.compile(
    r"\b(mon(?:days?)?|tue(?:s|sdays?)?|wed(?:nesdays?)?|thu(?:rs?|rsdays?)?|fri(?:days?)?|sat(?:urdays?)?|"
    r"sun(?:days?)?)\b",
    re.I,
)
_DAY_SETS = (
    (re.compile(r"\b(?:weekdays?|working days?|during the week|in the week)\b", re.I), _WEEKDAYS),
    (re.compile(r"\b(?:weekends?|at the week-end)\b", re.I), _WEEKEND),
    (re.compile(r"\b(?:every day|daily|seven days|all week|each day)\b", re.I), _ALL_DAYS),
)
_HELD = PatternSet(
    [
        *(_HOLDS[kind] for kind in Kind),
        _NEGATIVE,
        _DENIES,
        *(pattern.pattern for pattern in (_DAY_RANGE, _DAY_WORD, *(known for known, _ in _DAY_SETS))),
    ],
    ignore_case=True,
)


def of(text: str) -> tuple[int, int]:
    """What a text holds, as bits: kinds of fact (`bit`), NEGATIVE, DENIES; and the days of the week that it speaks of.

    Monday's bit is the lowest; ranges and "weekdays" count with all their days.
    """
    found = _HELD.bits(text)
    return found & ~_NAMES_DAYS, _days(text) if found & _NAMES_DAYS else 0


def bit(kind: Kind) -> int:
    """The bit of a kind of fact."""
    return 1 << _PLACES[kind]


def _days(text: str) -> int:
    found = 0
    for match in _DAY_RANGE.finditer(text):
        first, last = (DAYS.index(match[group].lower()[:3]) for group in (1, 2))
        for step in range((last - first) % len(DAYS) + 1):
            found |= 1 << (first + step) % len(DAYS)
    for match in _DAY_WORD.finditer(text):
        found |= 1 << DAYS.index(match[1].lower()[:3])
    for pattern, members in _DAY_SETS:
        if pattern.search(text):
            found |= members
    return found
