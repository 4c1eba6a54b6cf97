"""Noise: what strikes a sentence never moves a span off its value."""

from __future__ import annotations

from random import Random

import pytest

from models.recipes.personal.frames import SHAPES
from models.recipes.personal.noise import RATES, Piece, apply


def pieces() -> list[Piece]:
    return [
        Piece("Write to ", None),
        Piece("Zoë@Müller-4B.de", "EMAIL"),
        Piece(", it's O", None),
        Piece("Ann", "PERSON"),
        Piece("!", None),
    ]


def test_every_shape_has_its_rates():
    assert set(RATES) == set(SHAPES)


@pytest.mark.parametrize("shape", SHAPES)
def test_pieces_stay_what_they_are(shape):
    for seed in range(300):
        noised = pieces()
        apply(Random(seed), noised, shape)
        assert [piece.type for piece in noised] == [None, "EMAIL", None, "PERSON", None]
        assert all(piece.text for piece in noised if piece.type)


def test_chat_is_lowered_raised_squeezed_and_mistyped_at_times():
    texts = set()
    for seed in range(2_000):
        noised = pieces()
        apply(Random(seed), noised, "chat")
        texts.add("".join(piece.text for piece in noised))
    assert "write to zoë@müller-4b.de, it's oann!" in texts
    assert "WRITE TO ZOË@MÜLLER-4B.DE, IT'S OANN!" in texts
    assert "write to zoëmüller 4 bde its oann" in texts
    assert "Write to Zoe@Muller-4B.de, it's OAnn!" in texts
    assert len(texts) > 100


def test_values_are_escaped_in_json_and_quoted_in_csv():
    noised = [Piece('{"a": "', None), Piece('x "y"\nz', "ADDRESS"), Piece('"}', None)]
    apply(Random(1), noised, "json")
    assert noised[1].text == r"x \"y\"\nz"
    noised = [Piece("1,", None), Piece("Oak St 5,\nYork", "ADDRESS"), Piece(",2", None)]
    apply(Random(1), noised, "csv")
    assert "".join(piece.text for piece in noised).lower() == '1,"oak st 5, york",2'
