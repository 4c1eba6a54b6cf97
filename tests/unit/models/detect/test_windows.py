"""Windows of a long text: a value at any place is found as in the middle, and the windows own all of the text."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detect.spans import Span
from models.detect.windows import OVERLAP_CHARS, WINDOW_CHARS, Window, halved, joined, windows

CHARS, OVERLAP = 120, 40
VALUE = "Zacharias Oldcastle"
# A detector that needs what stands around a value: a reader at the edge of a window sees neither.
NEAR = re.compile(rf"(?<=\w\w \w\w )(?:{VALUE})(?= \w\w \w\w)")


def scanned(text: str, pattern: re.Pattern[str] = NEAR) -> list[tuple[int, int]]:
    """As a detector does that sees one window at a time."""
    found = []
    for window in windows(text, CHARS, OVERLAP):
        part = text[window.start : window.end]
        spans = [
            Span("PERSON", window.start + match.start(), window.start + match.end(), 0.9)
            for match in pattern.finditer(part)
        ]
        found.append((window, spans))
    return [(span.start, span.end) for span in joined(found)]


def test_a_value_at_any_place_is_found_as_in_the_middle() -> None:
    for before in range(2, 120):
        text = f"{'so it ' * before}so {VALUE} is it{' so it' * (122 - before)}"
        text = text.replace("so so", "so is so")
        at = text.index(VALUE)
        assert scanned(text) == [(at, at + len(VALUE))], before


def test_a_value_longer_than_the_overlap_is_whole() -> None:
    """Each window sees a part; together they are one."""
    for before in range(0, 130, 7):
        text = "so " * before + "9" * 300 + " so" * 60
        at = text.index("9")
        assert scanned(text, re.compile("9+")) == [(at, at + 300)]


@pytest.mark.parametrize("length", [0, 1, CHARS - 1, CHARS])
def test_a_short_text_is_one_window(length: int) -> None:
    assert windows("a" * length, CHARS, OVERLAP) == [Window(0, length, 0, length)]


@given(st.text(alphabet="ab ", min_size=1, max_size=2_000))
def test_windows_own_all_of_the_text_and_see_beyond_it(text: str) -> None:
    found = windows(text, CHARS, OVERLAP)
    assert (found[0].first, found[-1].last) == (0, len(text))
    assert all(one.last == other.first for one, other in itertools.pairwise(found))
    assert all(one.end - one.start <= CHARS and one.first < one.last for one in found)
    for one, other in itertools.pairwise(found):
        assert one.end - one.last >= OVERLAP // 2
        assert other.first - other.start >= OVERLAP // 2


@given(st.text(alphabet="ab ", min_size=2, max_size=WINDOW_CHARS))
def test_halving_makes_every_text_shorter(text: str) -> None:
    assert all(one.end - one.start < len(text) for one in halved(text))


def test_cuts_lie_at_spaces_where_there_are_some() -> None:
    text = "customer " * 300
    found = windows(text)
    assert all(text[one.start - 1] == " " for one in found[1:])
    assert all(text[one.end - 1] == " " for one in found[:-1])
    assert OVERLAP_CHARS < WINDOW_CHARS / 2
