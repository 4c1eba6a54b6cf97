"""What a masked text holds, and that it comes back as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.privacy.pseudonyms import codebook
from edge.privacy.pseudonyms.errors import CannotMask
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from models.detect.marks import TYPES
from models.detect.spans import Span
from tests.unit.edge.privacy.pseudonyms.texts import SCOPE, spans, token_of

CANONICAL = re.compile(r"\[[A-Z_]+_[b-z2-9]{8}\]")
VALUES = [
    "jane@example.org",
    'quo"ted',
    "back\\slash",
    "two\nlines\tand tab",
    "Zoë Ångström",
    "東京都",
    "🙂👩‍⚕️",
    "[in brackets]",
    "PERSON_bbbb2222",
    "$1 \\1 \\g<0> {x} %s",
    " ",
    "'",
]


def fresh(session: str = "one") -> Pseudonyms:
    return Pseudonyms(Scope("clinic", session, "overflow"))


@pytest.mark.parametrize("type_", sorted(TYPES))
@pytest.mark.parametrize("value", VALUES)
def test_any_value_comes_back_exactly(type_: str, value: str) -> None:
    pseudonyms, text = fresh(), f"Before «{value}» after."
    masked = pseudonyms.mask(text, spans(text, (type_, value)))
    assert value.strip() not in masked or not value.strip()
    assert pseudonyms.restore(masked) == text


@pytest.mark.proves("pseudonyms")
def test_a_value_has_one_token_in_a_session_and_another_in_the_next() -> None:
    pseudonyms = fresh()
    first = token_of(pseudonyms, "EMAIL", "a@b.org")
    assert first == token_of(pseudonyms, "EMAIL", "a@b.org")
    assert first != token_of(pseudonyms, "EMAIL", "A@b.org")
    assert first != token_of(fresh(), "EMAIL", "a@b.org")


def test_a_type_is_part_of_the_token() -> None:
    pseudonyms = fresh()
    assert token_of(pseudonyms, "USERNAME", "anna")[:10] == "[USERNAME_"
    assert token_of(pseudonyms, "PASSWORD", "anna")[:10] == "[PASSWORD_"


def test_spans_that_overlap_show_nothing_of_either() -> None:
    text, pseudonyms = "Call Anna Smith-Jones now", fresh()
    found = [Span("PERSON", 5, 15, 0.9), Span("ORGANIZATION", 10, 21, 0.5), Span("DATE", 22, 22, 1.0)]
    masked = pseudonyms.mask(text, found)
    assert re.fullmatch(r"Call \[PERSON_\w{8}\] now", masked)
    assert pseudonyms.restore(masked) == text


def test_spans_that_only_touch_stay_two() -> None:
    masked = fresh().mask("+49123", [Span("LOCATION", 0, 3, 0.9), Span("PHONE", 3, 6, 0.9)])
    assert re.fullmatch(r"\[LOCATION_\w{8}\]\[PHONE_\w{8}\]", masked)


def test_space_at_the_ends_of_a_span_stays_in_the_text() -> None:
    pseudonyms = fresh()
    masked = pseudonyms.mask("I am  Anna \n.", [Span("PERSON", 4, 12, 0.9)])
    assert re.fullmatch(r"I am  \[PERSON_\w{8}\] \n\.", masked)


def test_the_genitive_stays_outside() -> None:
    pseudonyms, text = fresh(), "Anna Smith's file, Smith's bill, James’ ticket"
    masked = pseudonyms.mask(
        text, spans(text, ("PERSON", "Anna Smith's"), ("PERSON", "Smith's"), ("PERSON", "James’"))
    )
    assert [part[-2:] for part in re.findall(r"\]['’]s?", masked)] == ["'s", "'s", "]’"]
    assert pseudonyms.restore(masked) == "Anna Smith's file, Anna Smith's bill, James’ ticket"


@pytest.mark.parametrize(
    "span",
    [
        Span("PERSON", -1, 3, 0.9),
        Span("PERSON", 2, 1, 0.9),
        Span("PERSON", 0, 6, 0.9),
        Span("THING", 0, 1, 0.9),
    ],
)
def test_a_finding_that_does_not_fit_is_refused(span: Span) -> None:
    with pytest.raises(CannotMask) as refused:
        fresh().mask("Jane!", [span])
    assert "Jane" not in str(refused.value)


# --- imitations ---


IMITATIONS = [
    "[PERSON_k7q2m4fx]",
    "person k7q2m4fx",
    "PERSON_k7q2m4f",
    "[ EMAIL : K7Q2M4FX ]",
    "\\[PERSON\\_k7q2m4fx\\]",
    "[text_k7q2m4fx]",
    "[whatever_k7q2m4fx]",
    "[PERSON_k7q2m4fx][PERSON_k7q2m4fx]",
    "[[PERSON_k7q2m4fx]]",
]


@pytest.mark.parametrize("text", IMITATIONS)
def test_what_imitates_a_token_is_masked_and_comes_back_as_it_was(text: str) -> None:
    pseudonyms = fresh()
    masked = pseudonyms.mask(text, [])
    assert "k7q2m4f" not in masked.lower()
    assert pseudonyms.restore(masked) == text


def test_what_lies_around_an_imitation_does_not_become_one() -> None:
    pseudonyms, text = fresh(), "PERSON_[PERSON_k7q2m4fx]k7q2m4fx [PERSON_k7q[PERSON_k7q2m4fx]2m4fx]"
    assert pseudonyms.restore(pseudonyms.mask(text, [])) == text


@pytest.mark.parametrize("form", [str, str.lower, lambda t: t[1:-1], lambda t: t.replace("_", " ")])
def test_a_live_token_that_somebody_writes_is_a_text_of_theirs(form: object) -> None:
    assert callable(form)
    pseudonyms = fresh()
    stolen = form(token_of(pseudonyms, "PERSON", "Anna Smith"))
    text = f"Who is {stolen}?"
    masked = pseudonyms.mask(text, [])
    assert stolen not in masked
    assert pseudonyms.restore(masked) == text


def test_a_token_that_begins_in_the_text_and_ends_in_a_span_is_none() -> None:
    pseudonyms, text = fresh(), "[PERSON_k7q2m4Anna PERSON_"
    masked = pseudonyms.mask(text, [Span("PERSON", 14, 18, 0.9)])
    assert pseudonyms.restore(masked) == text


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [*IMITATIONS, "[", "]", "\\", "_", "PERSON", " ", "k7q2m4fx", "email", "'s", "**"]
            ),
            st.text(max_size=5),
        ),
        max_size=12,
    ),
    st.data(),
)
def test_masked_and_restored_is_the_text(parts: list[str], data: st.DataObject) -> None:
    text, pseudonyms = "".join(parts), fresh()
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    # A password, because a name may come back in the form in which it was given first.
    found = [Span("PASSWORD", a, b, 0.9) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    masked = pseudonyms.mask(text, found)
    assert pseudonyms.restore(masked) == text
    assert pseudonyms.mask(masked, []) != masked or not CANONICAL.search(masked)


# --- limits ---


def test_the_number_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codebook, "TOKENS_MAX", 3)
    pseudonyms = fresh()
    for number in range(3):
        token_of(pseudonyms, "EMAIL", f"{number}@x.org")
    assert token_of(pseudonyms, "EMAIL", "0@x.org")
    with pytest.raises(CannotMask):
        token_of(pseudonyms, "EMAIL", "3@x.org")
    with pytest.raises(CannotMask):
        pseudonyms.mask("[PERSON_k7q2m4fx]", [])


@pytest.mark.parametrize(("chars", "fits"), [(511, True), (512, True), (513, False)])
def test_the_length_of_a_value_is_bounded(chars: int, fits: bool) -> None:
    assert codebook.VALUE_CHARS_MAX == 512
    if fits:
        assert token_of(fresh(), "ADDRESS", "x" * chars)
    else:
        with pytest.raises(CannotMask):
            token_of(fresh(), "ADDRESS", "x" * chars)


@pytest.mark.proves("pseudonyms")
def test_no_value_is_shown_by_accident() -> None:
    pseudonyms = Pseudonyms(SCOPE)
    token_of(pseudonyms, "PERSON", "Anna Smith")
    assert "Anna" not in f"{pseudonyms!r} {pseudonyms.restorer()!r} {pseudonyms.entries!r}"
