"""A person's name of which the detector found one word, with the word behind it that is its other half. Pure.

In "This is Simon Underwater speaking" it may know the first name and take the second for water: one of a thousand new
names. What is hidden too much, as a day ("Simon Monday"), costs an answer a word; what is hidden too little has left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from models.detect.spans import Span

_WORD: Final = r"[^\W\d_]+(?:[-'’][^\W\d_]+)*"
_ONE_WORD: Final = re.compile(_WORD)
_BEHIND: Final = re.compile(rf" ({_WORD})")


def whole_names(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """`spans`, in order and apart: of a name of one word to the end of the word with a capital that stands right behind
    it, unless that was found as something else. A name of two words or more is taken for whole."""
    for span, after in zip_longest(spans, spans[1:]):
        behind = _BEHIND.match(text, span.end) if _is_half(text, span) else None
        is_free = behind is not None and (after is None or behind.end() <= after.start)
        yield replace(span, end=behind.end()) if behind and is_free and behind[1][0].isupper() else span


def _is_half(text: str, span: Span) -> bool:
    return span.type == "PERSON" and _ONE_WORD.fullmatch(text, span.start, span.end) is not None
