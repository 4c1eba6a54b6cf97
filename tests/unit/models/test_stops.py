"""Text ends before a stop, however it is cut into pieces, and is held back no longer than it must be."""

from __future__ import annotations

from itertools import pairwise

import pytest

from models.stops import BeforeStop


def fed(stops: tuple[str, ...], *pieces: str) -> tuple[list[str], bool]:
    text = BeforeStop(stops)
    shown = [text.feed(piece) for piece in pieces]
    return [*shown, text.rest()], text.found


@pytest.mark.parametrize(
    ("stops", "pieces", "shown", "found"),
    [
        ((), ("a", "b"), ["a", "b", ""], False),
        (("END",), ("abc", "E", "x"), ["abc", "", "Ex", ""], False),
        (("END",), ("abcE", "N", "D more", "!"), ["abc", "", "", "", ""], True),
        (("END",), ("abcEN",), ["abc", "EN"], False),
        (("END",), ("END",), ["", ""], True),
        (("\n\n", "Q:"), ("a\n", "b\n\nQ:",), ["a", "\nb", ""], True),
        (("aab",), ("aa", "ab"), ["", "a", ""], True),
        (("x",), ("a", "bx"), ["a", "b", ""], True),
    ],
)  # fmt: skip
def test_what_is_shown(
    stops: tuple[str, ...], pieces: tuple[str, ...], shown: list[str], found: bool
) -> None:
    assert fed(stops, *pieces) == (shown, found)


def test_every_way_to_cut_a_text_gives_the_same() -> None:
    text, stops = "one two tw three", ("twx", "tw t", "nothing")
    for first in range(len(text)):
        for second in range(first, len(text)):
            pieces = [text[a:b] for a, b in pairwise((0, first, second, len(text)))]
            shown, found = fed(stops, *pieces)
            assert ("".join(shown), found) == ("one two ", True)
