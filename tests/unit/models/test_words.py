"""What was typed becomes plain words at positions, whatever its spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.words import SENTENCE_GAP, YEAR, words


def texts(text: str) -> list[str]:
    return [word.text for word in words(text)]


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ("Chest PAIN!", ["chest", "pain"]),
        ("ch3st p41n", ["chest", "pain"]),
        ("c h e s t  p a i n", ["chest", "pain"]),
        ("h-e-l-p me", ["help", "me"]),
        ("bleeeeeding", ["bleding"]),
        ("I can't, she’s", ["i", "cant", "shes"]),
        ("j’ai l'eau", ["j", "ai", "l", "eau"]),
        ("Überfälle, ŁÓDŹ, straße", ["uberfale", "lodz", "strase"]),
        ("pa\u200bin 🔥 fire", ["pain", "fire"]),
        ("in 1990 on floor 12", ["in", YEAR, "on", "flor"]),
        ("a b c", ["a", "b", "c"]),
        ("", []),
    ],
)
def test_spelling_is_made_plain(typed: str, plain: list[str]) -> None:
    assert texts(typed) == plain


def test_the_end_of_a_sentence_is_a_distance() -> None:
    first, second = words("card. lost")
    assert second.at - first.at == 1 + SENTENCE_GAP
    first, second = words("card... lost")
    assert second.at - first.at == 1


@given(st.text(max_size=300))
def test_any_text_gives_plain_words_in_order(text: str) -> None:
    found = words(text)
    assert all(word.text == YEAR or (word.text.isascii() and word.text.isalpha()) for word in found)
    assert [word.at for word in found] == sorted({word.at for word in found})
