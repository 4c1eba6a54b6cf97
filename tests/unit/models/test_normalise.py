"""Views of a text: every disguise comes off, and every character knows its place in the text as given."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detect.normalise import views
from models.detect.spelled import RUN_DIGITS_MIN

CARD = "4111 1111 1111 1111"
DISGUISED = {
    "full-width": CARD.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
    "mathematical": CARD.translate({ord("0") + n: 0x1D7CE + n for n in range(10)}),
    "circled": CARD.translate({ord("1"): 0x2460, ord("4"): 0x2463}),
    "Arabic-Indic": CARD.translate({ord("0") + n: 0x660 + n for n in range(10)}),
    "zero-width spaces": "\u200b".join(CARD),
    "soft hyphens": "\u00ad".join(CARD),
    "tags": "".join(chr(0xE0000 + ord(sign)) for sign in CARD),
    "combining strokes": "".join(sign + "\u0336" for sign in CARD),
    "keycaps": "".join(sign if sign == " " else sign + "\ufe0f\u20e3" for sign in CARD),
    "no-break spaces": CARD.replace(" ", "\u00a0"),
    "percent": quote(CARD),
    "percent throughout": "".join(f"%{ord(sign):02x}" for sign in CARD),
    "base64": base64.b64encode(CARD.encode()).decode(),
    "base64 without padding": base64.urlsafe_b64encode(CARD.encode()).decode().rstrip("="),
    "character references": "".join(f"&#{ord(sign)};" for sign in CARD),
    "JSON escapes": "".join(f"\\u{ord(sign):04x}" for sign in CARD),
}
SPELLED = {
    "four one one one, double one double one, triple one one, one one one one": "4111111111111111",
    "fourty one": "fourty one",
    "five five five twenty one thirty four": "5552134",
    "eight hundred five five five oh one": "80055501",
    "1 2 3 4 5": "12345",
    "1-2-3-4-5": "12345",
    "1 2 3 4": "1 2 3 4",
    "one two three four": "one two three four",
    "one or two": "one or two",
    "null eins zwo drei vier": "01234",
    "one nine two dot one six eight dot one dot one": "192.168.1.1",
    "ann dot lee at example dot org": "ann.lee@example.org",
    "ann.lee [at] example [dot] org": "ann.lee@example.org",
    "ann.lee (at) example.org": "ann.lee@example.org",
    "meet me at the station": "meet me at the station",
}
HOMOGLYPHS = {"j\u043ehn@gm\u0430il.c\u043em": "john@gmail.com", "\u0391\u0392123": "AB123"}


@pytest.mark.parametrize("disguised", DISGUISED.values(), ids=DISGUISED)
def test_a_disguise_comes_off_and_the_value_is_found_where_it_stands(disguised: str) -> None:
    text = f"card {disguised} please"
    last = views(text)[-1]
    start = last.text.index(CARD)
    assert last.original(start, start + len(CARD)) == _visible(text, disguised)


def _visible(text: str, disguised: str) -> tuple[int, int]:
    """What is invisible or padding behind the last character belongs to nobody."""
    start = text.index(disguised)
    return start, start + len(disguised.rstrip("\u0336\ufe0f\u20e3="))


@pytest.mark.parametrize(("said", "expected"), SPELLED.items())
def test_what_is_spelled_is_written(said: str, expected: str) -> None:
    assert views(f"it is {said} thanks")[-1].text == f"it is {expected} thanks"


@pytest.mark.parametrize(("twin", "expected"), HOMOGLYPHS.items())
def test_look_alikes_are_taken_for_what_they_look_like(twin: str, expected: str) -> None:
    assert views(twin)[-1].text == expected


def test_the_first_view_is_the_text_itself_and_plain_text_has_no_other() -> None:
    text = "When are you open on Saturday?"
    assert [view.text for view in views(text)] == [text]


def test_encoding_is_taken_off_once() -> None:
    assert views("%2534")[-1].text == "%34"


def test_disguises_on_top_of_each_other_come_off() -> None:
    hidden = base64.b64encode(b"f%6Fur one one one one").decode()
    assert views(hidden)[-1].text == "f%6Fur one one one one"
    assert views("%E2%91%A3\u200b" * RUN_DIGITS_MIN)[-1].text == "4" * RUN_DIGITS_MIN


ALPHABET = st.characters() | st.sampled_from(
    [*"0123456789%@.& ", "%34", "one ", " dot ", "\u200b", "\u2460", "NDEx"]
)


@settings(deadline=None)
@given(st.lists(ALPHABET, max_size=60).map("".join))
def test_every_character_of_every_view_has_a_place_in_the_text(text: str) -> None:
    for view in views(text):
        places = [view.original(place, place + 1) for place in range(len(view.text))]
        assert all(0 <= start < end <= len(text) for start, end in places)
        assert places == sorted(places)


@settings(deadline=None)
@given(st.text(max_size=20), st.sampled_from(list(DISGUISED.values())), st.text(max_size=20))
def test_a_value_found_in_a_view_lies_where_it_was_hidden(before: str, disguised: str, after: str) -> None:
    text = f"{before} \n {disguised} \n {after}"
    last = views(text)[-1]
    place = last.text.find(CARD)
    if place < 0:  # a sign before it made it part of something else
        return
    start, end = last.original(place, place + len(CARD))
    assert start >= len(before)
    assert end <= len(text) - len(after)
