"""Tokens become values again: whole, bent, cut anywhere, in JSON, and never somebody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.privacy.pseudonyms.grammar import FORM_CHARS_MAX, HELD_CHARS_MAX
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from edge.privacy.pseudonyms.restoring import Form
from edge.privacy.pseudonyms.token import Token
from models.detect.marks import CODE_CHARS, TYPES
from tests.unit.edge.privacy.pseudonyms.texts import BENT, SCOPE, token_of

JOHN = Token("PERSON", "k7q2m4fx", "John Smith")
LINES = Token("ADDRESS", "3hwt9c6n", 'Mill Lane "4"\\B,\n\tLeeds €')
RECORD = Token("MEDICAL_RECORD", "zz29gg45", "MRN 1")
ROUTING = Token("ROUTING_NUMBER", "b2c3d4f5", "021000021")


def known() -> Pseudonyms:
    return Pseudonyms(SCOPE, [JOHN, LINES, RECORD, ROUTING])


def streamed(pseudonyms: Pseudonyms, chunks: list[str], form: Form = Form.TEXT) -> str:
    restorer = pseudonyms.restorer(form)
    return "".join([*map(restorer.feed, chunks), restorer.close()])


def every_way_in_three(text: str) -> list[list[str]]:
    """The text in one piece, in characters, and cut at every one and two places."""
    places = range(len(text) + 1)
    cuts = [(a, b) for a, b in combinations(places, 2)] + [(a, a) for a in places]
    return [[text], list(text), *([text[:a], text[a:b], text[b:]] for a, b in cuts)]


# --- bent tokens ---


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
@pytest.mark.parametrize("token", [JOHN, LINES, RECORD], ids=lambda token: token.type)
def test_a_bent_token_is_read_as_what_it_was(token: Token, bend: Callable[[str], str]) -> None:
    text = f"Dear {bend(token.text)}, thank you."
    assert known().restore(text) == f"Dear {token.value}, thank you."


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
def test_a_bent_token_is_read_however_it_is_cut(bend: Callable[[str], str]) -> None:
    text = f"x {bend(JOHN.text)}]y {bend(RECORD.text)}"
    whole = known().restore(text)
    for chunks in every_way_in_three(text):
        assert streamed(known(), chunks) == whole


@pytest.mark.parametrize(
    "text",
    [
        "**[PERSON_k7q2m4fx]**",
        "`[PERSON_k7q2m4fx]`",
        "_[PERSON_k7q2m4fx]_",
        "([PERSON_k7q2m4fx])",
        "[[PERSON_k7q2m4fx]]",
        "C:\\[PERSON_k7q2m4fx]\\x",
        "[PERSON_k7q2m4fx](https://x)",
        "x[PERSON_k7q2m4fx]y[PERSON_k7q2m4fx]'s",
        "[see [PERSON_k7q2m4fx]",
        "[PERSON[PERSON_k7q2m4fx]",
        "[PERSON_[PERSON_k7q2m4fx]",
        "[1] [PERSON_k7q2m4fx] [2]",
    ],
)
def test_what_stands_around_a_token_stays(text: str) -> None:
    assert known().restore(text) == text.replace(JOHN.text, JOHN.value)
    for chunks in every_way_in_three(text):
        assert streamed(known(), chunks) == text.replace(JOHN.text, JOHN.value)


@pytest.mark.parametrize("bend", BENT.values(), ids=BENT.keys())
def test_what_two_tokens_can_have_been_stays_masked(bend: Callable[[str], str]) -> None:
    # Codes two edits apart, and one that lies between them: a book would not draw such, but a vault may hold them.
    near = Pseudonyms(SCOPE, [Token("PERSON", "k7q2m4fx", "John"), Token("PERSON", "k7q2m4gz", "Jane")])
    assert near.restore(bend("[PERSON_k7q2m4gx]")).lower() not in {"john", "jane"}
    assert near.restore("[PERSON_k7q2m4gx]") == "[PERSON]"


def test_two_wrong_characters_are_not_mended() -> None:
    assert known().restore("[PERSON_k7q2mmmx]") == "[PERSON]"
    # One left out at the beginning and one put in at the end.
    assert known().restore("[PERSON_7q2m4fxb]") == "[PERSON]"
    text = "[PERSOM_k7q2mmfx] PERSON_k7q2mmmx PERSON_k7q2mmmx] PERSON_k7q2m4fxeaxy PERSON_k7q2m4fxé xPERSON_k7q2m4fx"
    assert known().restore(text) == text


def test_a_bracket_that_comes_late_is_the_texts_own() -> None:
    text = f"{ROUTING.text[:-1]}   \\\\]"
    for chunks in every_way_in_three(text):
        assert streamed(known(), chunks) == f"{ROUTING.value}   \\\\]"


def test_a_token_within_what_only_looks_like_one_is_read() -> None:
    text = "[note-PERSON_k7q2m4ff]"  # "note-PERSON" is no type, and the code is not exact
    for chunks in every_way_in_three(text):
        assert streamed(known(), chunks) == "[note-John Smith"


def test_a_wrong_character_under_another_type_is_not_mended() -> None:
    assert known().restore("[EMAIL_k7q2m4ff]") == "[EMAIL]"


def test_a_code_alone_is_no_token() -> None:
    assert known().restore("k7q2m4fx [k7q2m4fx]") == "k7q2m4fx [k7q2m4fx]"


@pytest.mark.parametrize(
    "text",
    [
        "See [the form](https://example.org) and [1], [2].",
        "Your address, phone number, e-mail, date of birth and title.",
        "person: 12345678, date 20261130, [date 2026-11-30] and [a b c]",
        "Schlüssel [Straße_Nummer] [x] \\[y\\] \\",
        "{'person': ['a', 'b']} [PERSON] [PERSON_] [PERSON_NAME]",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    for chunks in every_way_in_three(text):
        assert streamed(known(), chunks) == text


# --- other conversations ---


@pytest.mark.proves("pseudonyms")
def test_tokens_of_another_scope_stay_masked() -> None:
    mine, theirs = Pseudonyms(SCOPE), Pseudonyms(Scope("clinic", "session-two", "overflow"))
    other = Pseudonyms(Scope("clinic", "session-one", "ticket"))
    for pseudonyms, name in ((mine, "Anna"), (theirs, "Berta"), (other, "Carla")):
        token_of(pseudonyms, "PERSON", name)
    for pseudonyms in (theirs, other):
        assert mine.restore(token_of(pseudonyms, "PERSON", "Dora")) == "[PERSON]"


# --- what is held back ---


def test_less_than_a_token_is_held_back_and_ordinary_text_not_at_all() -> None:
    restorer = known().restorer()
    assert restorer.feed("Hello, ") == "Hello, "
    for character in JOHN.text[:-1]:
        assert restorer.feed(character) == ""
        assert restorer.held_chars < len(JOHN.text)
    assert restorer.feed(JOHN.text[-1]) == JOHN.value
    assert restorer.feed(" we are open") == " we are open"
    assert (restorer.close(), restorer.held_chars) == ("", 0)


@settings(max_examples=300)
@given(
    st.lists(
        st.sampled_from(["[", "]", "\\", "_", " ", "*", "p", "PERSON", "k7q2m4fx", "ROUTING_NUMBER", "b2"])
    )
)
def test_never_more_than_the_longest_token_less_one_is_held_back(chunks: list[str]) -> None:
    restorer = known().restorer()
    for chunk in chunks:
        restorer.feed(chunk)
        assert restorer.held_chars <= HELD_CHARS_MAX < FORM_CHARS_MAX


def test_what_is_held_back_comes_at_the_end() -> None:
    restorer = known().restorer()
    assert restorer.feed("see [PERSON_k7q2m4f") == "see "
    assert restorer.close() == "John Smith"
    restorer = known().restorer()
    assert restorer.feed("see [PERS") + restorer.close() == "see [PERS"


pieces = st.one_of(
    st.sampled_from(
        [
            "[",
            "]",
            "\\",
            "\\\\",
            "_",
            " ",
            "*",
            "\n",
            "n",
            "e",
            "-",
            "PERSON",
            "person",
            "MEDICAL",
            "RECORD",
            "TEXT",
            "NOMBRE",
        ]
    ),
    st.sampled_from([token.text for token in (JOHN, LINES, RECORD, ROUTING)]),
    st.sampled_from([token.code for token in (JOHN, LINES, RECORD, ROUTING)]),
    st.sampled_from(sorted(TYPES)),
    st.sampled_from(list("bk2é'\"")),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(pieces, max_size=14), st.data(), st.sampled_from(Form))
def test_however_it_is_cut_it_is_the_same(parts: list[str], data: st.DataObject, form: Form) -> None:
    text = "".join(parts)
    ends = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    cuts = [0, *sorted(ends), len(text)]
    whole = streamed(known(), [text], form)
    assert streamed(known(), [text[a:b] for a, b in pairwise(cuts)], form) == whole
    assert streamed(known(), list(text), form) == whole


# --- JSON ---


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("bend", [str, BENT["no brackets"], BENT["small letters"], BENT["bold within"]])
def test_json_stays_json(bend: Callable[[str], str], ascii_only: bool) -> None:
    def written(value: Callable[[Token], str]) -> object:
        return {
            value(JOHN): [value(LINES), f"\n{value(LINES)}\\{value(LINES)}", {"n": 1, "x": None}],
            "about": f"{value(RECORD)} of {value(JOHN)}'s",
        }

    text = json.dumps(written(lambda token: bend(token.text)), ensure_ascii=ascii_only)
    restored = streamed(known(), [text], Form.JSON)
    assert json.loads(restored) == written(lambda token: token.value)
    part = text[:40]
    whole = streamed(known(), [part], Form.JSON)
    for chunks in every_way_in_three(part):
        assert streamed(known(), chunks, Form.JSON) == whole
    assert streamed(known(), list(text), Form.JSON) == restored


def test_markdown_within_json_is_read() -> None:
    text = json.dumps([BENT["escaped"](JOHN.text)])
    assert json.loads(known().restore(text, Form.JSON)) == [JOHN.value]


@given(st.text(), st.sampled_from([JOHN, LINES]))
def test_a_value_in_a_json_string_is_escaped(around: str, token: Token) -> None:
    text = json.dumps([f"{around}{token.text}"])
    restored = known().restore(text, Form.JSON)
    assert json.loads(restored)[0].endswith(token.value)


def test_a_tools_arguments_are_restored_as_they_stream() -> None:
    restorer = known().restorer(Form.JSON)
    arguments = ['{"na', 'me": "[PER', "SON_k7q2", 'm4fx]", "address": "', "[ADDRESS_3hwt9c6n", ']"}']
    shown = "".join(map(restorer.feed, arguments)) + restorer.close()
    assert json.loads(shown) == {"name": JOHN.value, "address": LINES.value}


def test_codes_have_the_length_that_the_tests_use() -> None:
    assert {len(token.code) for token in (JOHN, LINES, RECORD, ROUTING)} == {CODE_CHARS}
