"""Codes: drawn, and how far a bent one is."""

from __future__ import annotations

import pytest

from edge.privacy.pseudonyms.token import (
    DIGITS_MIN,
    Token,
    draw_code,
    one_edit_apart,
    shortened,
)
from models.detect.marks import ALPHABET, CODE_CHARS, DIGITS, MARK_CHARS_MAX, TYPES


def test_codes_are_no_words_and_no_numbers() -> None:
    for _ in range(500):
        code = draw_code()
        assert len(code) == CODE_CHARS
        assert set(code) <= set(ALPHABET)
        assert DIGITS_MIN <= sum(character in DIGITS for character in code) < CODE_CHARS


def test_no_code_is_drawn_twice() -> None:
    assert len({draw_code() for _ in range(5_000)}) == 5_000


def test_the_longest_token_has_the_stated_length() -> None:
    assert max(len(Token(name, "b" * CODE_CHARS, "").text) for name in TYPES) == MARK_CHARS_MAX


@pytest.mark.proves("pseudonyms")
def test_a_token_does_not_tell_its_value() -> None:
    assert "Jane" not in repr(Token("PERSON", "b2b2b2b2", "Jane Doe"))


@pytest.mark.parametrize(
    ("bent", "code", "apart"),
    [
        ("bcdf", "bcdf", False),
        ("bxdf", "bcdf", True),
        ("bdf", "bcdf", True),
        ("bcd", "bcdf", True),
        ("bcxdf", "bcdf", True),
        ("cbdf", "bcdf", True),
        ("bcfd", "bcdf", True),
        ("bfdc", "bcdf", False),
        ("xydf", "bcdf", False),
        ("bc", "bcdf", False),
        ("bxcyd", "bcdf", False),
        ("", "b", True),
    ],
)
def test_one_edit(bent: str, code: str, apart: bool) -> None:
    assert one_edit_apart(bent, code) is apart
    assert one_edit_apart(code, bent) is apart


@pytest.mark.parametrize("bent", ["k7q2mxfx", "k7q2m4f", "k7q2m4fxx", "7kq2m4fx"])
def test_codes_an_edit_apart_have_a_shortened_form_in_common(bent: str) -> None:
    assert shortened("k7q2m4fx") & shortened(bent)
