"""What a question asks for, and the values that an answer gives. Pure; rules for English."""

from __future__ import annotations

import re

from core.pattern_set import PatternSet
from edge.knowledge.facts import Kind

_ASKS = (
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

_ASKED = PatternSet((pattern for _, pattern in _ASKS), ignore_case=True)
_YOU = re.compile(r"\b(?:you|your|u)\b", re.I)
_OPEN = re.compile(r"\b(?:open|opens|opening|close|closes|closing|closed|shut)\b", re.I)
_VALUE = re.compile(r"\d+(?:[.,:]\d+)*")


def asks(question: str) -> frozenset[Kind]:
    """The kinds of fact that a question asks for; none when it shows none."""
    return frozenset(_ASKS[number][0] for number in _ASKED.found(question))


def values(text: str) -> frozenset[str]:
    """The numbers of a text as they are written, trailing zeros of a time or price and separators apart."""
    return frozenset(_plain(match[0]) for match in _VALUE.finditer(text))


def of_site(question: str, you: str) -> str:
    """The question with whom it means, where it asks when "you" are open: "When are you open? (the clinic)"."""
    asks_of_us = you and _YOU.search(question) and _OPEN.search(question)
    return f"{question} ({you})" if asks_of_us else question


def _plain(number: str) -> str:
    """ "9.00", "9:00" and "9" are one value; "1,000" and "1000", too."""
    number = re.sub(r",(?=\d{3}\b)", "", number).replace(":", ".").replace(",", ".")
    return number.rstrip("0").rstrip(".") if "." in number else number
