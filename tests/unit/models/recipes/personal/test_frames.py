"""Frames as written: each once, with nothing personal in their own words that no slot labels."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from models.recipes.personal.frames import FRAMES, SHAPES, Frame, frames
from models.recipes.personal.lists import words
from models.recipes.personal.slots import AGAIN

_YEAR = re.compile(r"\b(1[5-9]|20)\d\d\b")
# A slot that lost a brace, got a blank or a wrong sign: the parser would take it for text.
_BROKEN_SLOT = re.compile(r"\{\s*~?\s*[A-Z_]{3,}|[A-Z_]{3,}\s*\}")
_NAMES = {"PERSON", "FIRST", "LAST"}


def _written() -> list[Frame]:
    return [frame for of_key in frames().values() for frame in of_key]


def _own_words(frame: Frame) -> str:
    """The frame without its slots."""
    return "\0".join(frame.parts[::2])


def test_files_are_named_after_shapes():
    assert {path.stem.split("_")[0] for path in FRAMES.glob("*/*.txt")} <= set(SHAPES)


def test_a_frame_is_written_once():
    counts = Counter((frame.language, frame.text) for frame in _written())
    assert [key for key, count in counts.items() if count > 1] == []


def test_no_slot_is_broken():
    assert [frame.text for frame in _written() if _BROKEN_SLOT.search(_own_words(frame))] == []


def test_what_is_said_again_was_said_before():
    for frame in _written():
        said: set[str] = set()
        for slot in frame.parts[1::2]:
            name = slot.removeprefix("~")
            known = said & _NAMES if name in AGAIN else said & {name}
            assert known or slot[0] != "~", frame.text
            said.add(name)


def test_no_year_stands_in_the_words_of_a_frame():
    assert [frame.text for frame in _written() if _YEAR.search(_own_words(frame))] == []


@pytest.mark.parametrize("language", sorted({language for language, _ in frames()}))
def test_a_title_before_a_name_is_a_slot(language):
    """Short forms such as Dr. and Mme; longer ones are ordinary words too (my father, meine Frau)."""
    short = [title for title in words("titles").get(language, ()) if title[-1] == "." or len(title) <= 3]
    title_last = re.compile(rf"\b({'|'.join(map(re.escape, short))}) $") if short else re.compile("$^")
    for frame in _written():
        before_names = (
            text
            for text, slot in zip(frame.parts[::2], frame.parts[1::2], strict=False)
            if slot.removeprefix("~") in _NAMES and frame.language == language
        )
        assert not any(title_last.search(text) for text in before_names), frame.text
