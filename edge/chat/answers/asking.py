"""What a text asks for and what a text holds: times, prices, numbers, places, telephone numbers; days; "not". Pure.

Rules for English. In another language they find little, and the other signs of an answer decide alone.
"""

from __future__ import annotations

import re
from enum import StrEnum

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKDAYS = frozenset(range(5))
_WEEKEND = frozenset({5, 6})
_ALL_DAYS = frozenset(range(7))


class Kind(StrEnum):
    """A kind of fact."""

    TIME = "time"
    DURATION = "duration"
    PRICE = "price"
    NUMBER = "number"
    PLACE = "place"
    CONTACT = "contact"
    PERMISSION = "permission"


_ASKS: tuple[tuple[Kind, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            Kind.TIME,
            r"\b(when|what (time|day|date)s?|which days?|how (late|early)|until|till|by what|opening|opens?|"
            r"close[sd]?|closing|hours|shut|deadline|cut-?off)\b",
        ),
        (
            Kind.DURATION,
            r"\b(how (long|soon|quickly|fast)|how many (minutes|hours|days|weeks|months|years)|"
            r"(wait(ing)?|processing) times?)\b",
        ),
        (
            Kind.PRICE,
            r"\b(how much|costs?|prices?|pricing|fees?|charged?|charges|expensive|cheap(er)?|"
            r"free|pay|tariffs?|rates?)\b",
        ),
        (
            Kind.NUMBER,
            r"\b(how (many|old|big|large|heavy|far|tall|often)|maximum|minimum|limit|at most|what age)\b",
        ),
        (
            Kind.PLACE,
            r"\b(where|which (floor|room|building|desk|counter|entrance)|address|located|location)\b",
        ),
        (
            Kind.CONTACT,
            r"\b((phone|telephone|fax|mobile|contact) ?(number|no)?|number to (call|ring)|e-?mail|ring|call|reach)\b",
        ),
        (
            Kind.PERMISSION,
            r"^\s*(and |but |so )?(can|could|may|am i|are we|is it (ok|okay|possible|allowed)|do i (need|have)|must|"
            r"will i|should i|is there|are there|do you|does|is|are)\b",
        ),
    )
)

_MONEY = re.compile(
    r"[£$€]\s?\d|\b\d[\d.,]*\s?(?:p|pence|pounds?|euros?|dollars?|cents?|eur|usd|gbp)\b|"
    r"\bfree\b|\bno (?:charge|fee|cost)\b|%",
    re.I,
)
_CLOCK = re.compile(
    r"\b\d{1,2}(?:[:.]\d{2})?\s?(?:am|pm|a\.m\.|p\.m\.|o'clock)|\b\d{1,2}[:.]\d{2}\b|\bnoon\b|\bmidnight\b|"
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:closed|shut|weekends?|daily)\b|"
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december)\b|\b\d{1,2} may\b",
    re.I,
)
_NUMBER_WORD = (
    r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|thirty|half|an?)"
)
_SPAN = re.compile(
    rf"\b{_NUMBER_WORD}[ -](?:working |calendar |business )?(?:minutes?|hours?|days?|weeks?|months?|years?|nights?)\b"
    r"|\b(?:same|next) (?:working )?day\b|\bimmediately\b|\bat once\b",
    re.I,
)
_DIGIT = re.compile(r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty)\b", re.I)
_WHERE = re.compile(
    r"\b(?:floor|room|building|entrance|corridor|lobby|foyer|hall|street|road|lane|square|avenue|opposite|next to|"
    r"behind|beside|upstairs|downstairs|desk|counter|reception|window|left|right|online|by post|at the)\b",
    re.I,
)
_REACH = re.compile(r"\d{3,}[ -]?\d{3,}|\S+@\S+\.\w|\b(?:ring|call|phone|e-?mail|text)\b", re.I)
_LEAVE = re.compile(
    r"\b(?:can|cannot|can't|may|must|need|needs|not|no|never|only|free|allowed|required|have to|has to|unless|yes|"
    r"without|every|any|all|welcome|accept|offer|provide)\b",
    re.I,
)
_HOLDS: dict[Kind, re.Pattern[str]] = {
    Kind.TIME: _CLOCK,
    Kind.DURATION: _SPAN,
    Kind.PRICE: _MONEY,
    Kind.NUMBER: _DIGIT,
    Kind.PLACE: _WHERE,
    Kind.CONTACT: _REACH,
    Kind.PERMISSION: _LEAVE,
}

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
_NEGATIVE = re.compile(
    r"\b(?:not|no|never|cannot|can't|don't|doesn't|won't|isn't|aren't|without|neither|nor|unless|except)\b",
    re.I,
)
_YOU = re.compile(r"\b(?:you|your|u)\b", re.I)
_OPEN = re.compile(r"\b(?:open|opens|opening|close|closes|closing|closed|shut)\b", re.I)
_VALUE = re.compile(r"\d+(?:[.,:]\d+)*")


def asks(question: str) -> frozenset[Kind]:
    """The kinds of fact that a question asks for; none when it shows none."""
    return frozenset(kind for kind, pattern in _ASKS if pattern.search(question))


def holds(text: str, kind: Kind) -> bool:
    """Whether a text holds a fact of this kind."""
    return _HOLDS[kind].search(text) is not None


def days(text: str) -> frozenset[int]:
    """The days of the week that a text speaks of, 0 is Monday; ranges and "weekdays" count with all their days."""
    found: set[int] = set()
    for match in _DAY_RANGE.finditer(text):
        first, last = (DAYS.index(match[group].lower()[:3]) for group in (1, 2))
        found.update((first + step) % len(DAYS) for step in range((last - first) % len(DAYS) + 1))
    found.update(DAYS.index(match[1].lower()[:3]) for match in _DAY_WORD.finditer(text))
    for pattern, members in _DAY_SETS:
        if pattern.search(text):
            found |= members
    return frozenset(found)


def values(text: str) -> frozenset[str]:
    """The numbers of a text as they are written, trailing zeros of a time or price and separators apart."""
    return frozenset(_plain(match[0]) for match in _VALUE.finditer(text))


def of_site(question: str, you: str) -> str:
    """The question with whom it means, where it asks when "you" are open: "When are you open? (the clinic)"."""
    asks_of_us = you and _YOU.search(question) and _OPEN.search(question)
    return f"{question} ({you})" if asks_of_us else question


def negative(text: str) -> bool:
    """Whether a text says "not", "no", "never", "except" and the like."""
    return _NEGATIVE.search(text) is not None


def _plain(number: str) -> str:
    """ "9.00", "9:00" and "9" are one value; "1,000" and "1000", too."""
    number = re.sub(r",(?=\d{3}\b)", "", number).replace(":", ".").replace(",", ".")
    return number.rstrip("0").rstrip(".") if "." in number else number
