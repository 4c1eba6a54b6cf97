"""Misspelt words are found, other words are left alone."""

from __future__ import annotations

import pytest

from edge.chat.safety.lexicon import Lexicon

LEXICON = Lexicon(
    ["bleed*", "stolen", "pain", "=fire", "unconscious*", "eau", "poison*", "chest", "breathe", "cant"],
    known=["paint", "i", "my", "stole"],
    elisions=["l"],
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bleding", {"bleed*"}),
        ("blleding", set()),  # words come collapsed; this is two slips in a short stem
        ("stollen", {"stolen"}),
        ("stolen", {"stolen"}),
        ("stoln", {"stolen"}),
        ("stlen", {"stolen"}),
        ("sotlen", {"stolen"}),
        ("tsolen", {"stolen"}),
        ("stole", set()),  # a word of its own
        ("pian", {"pain"}),
        ("paun", set()),  # four letters: only changed places, or one too many or too few
        ("paint", set()),
        ("fire", {"=fire"}),
        ("fier", set()),
        ("uncontious", {"unconscious*"}),
        ("unconciousnes", {"unconscious*"}),
        ("colen", set()),
    ],
)
def test_a_slip_is_seen_through(written: str, meant: set[str]) -> None:
    assert LEXICON.resolve(written) == meant


@pytest.mark.parametrize(
    ("together", "apart"),
    [
        ("chestpain", ("chest", "pain")),
        ("icantbreathe", ("i", "cant", "breathe")),
        ("mypaint", ()),  # one word and a particle: no reason to cut
        ("paint", ()),
        ("chestnuts", ()),
    ],
)
def test_words_written_together_come_apart(together: str, apart: tuple[str, ...]) -> None:
    assert LEXICON.split(together) == apart
