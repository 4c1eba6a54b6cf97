"""Numbers of trade among what the tagger found: "order 242468930" is nobody's, whatever the number looks like. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.detect.forms.vocabulary import BUSINESS
from models.detect.forms.words import KINDS, Words
from models.detect.spans import Span

BARE: Final = frozenset(
    {
        "BANK_ACCOUNT",
        "DEVICE_ID",
        "DRIVER_LICENSE",
        "HEALTH_PLAN",
        "LICENSE_PLATE",
        "MEDICAL_RECORD",
        "NATIONAL_ID",
        "OTHER_ID",
        "PASSPORT",
        "PASSWORD",
        "ROUTING_NUMBER",
        "TAX_ID",
        "USERNAME",
        "VEHICLE_ID",
    }
)
"""Types whose values look like any number of trade."""

BESIDE_MAX: Final = 1
"""Words between: "order number for chairs 4711" is two away, and may speak of something else."""

_OF_SOMEBODY: Final = frozenset(KINDS - {BUSINESS, "unit", "place"})


def without_trade(text: str, spans: Sequence[Span]) -> list[Span]:
    """The spans but for bare numbers right behind a word of trade, with no word nearer that makes them somebody's."""
    if not any(_is_bare(text, span) for span in spans):
        return list(spans)
    words = Words(text)
    return [span for span in spans if not (_is_bare(text, span) and _of_trade(text, words, span))]


def _is_bare(text: str, span: Span) -> bool:
    return span.type in BARE and any(map(str.isdigit, text[span.start : span.end]))


def _of_trade(text: str, words: Words, span: Span) -> bool:
    # From the first digit on: the tagger may have taken the word in.
    number = next(place for place in range(span.start, span.end) if text[place].isdigit())
    before = words.beside(number, span.end).before
    trade = before.get(BUSINESS)
    if trade is None or trade > BESIDE_MAX:
        return False
    return all(distance > trade for kind, distance in before.items() if kind in _OF_SOMEBODY)
