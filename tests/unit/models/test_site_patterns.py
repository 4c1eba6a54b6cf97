"""Identifiers of a site's own: what examples say, what is found, and what is refused before it masks every text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detect.detector import Detector
from models.detect.label import Label
from models.detect.patterns import scan
from models.detect.site_patterns import (
    EXAMPLES_MIN,
    IDENTIFIERS_MAX,
    PATTERN_CHARS_MAX,
    IdentifierRefused,
    SiteIdentifier,
    SitePatterns,
    inferred,
)

CUSTOMER = SiteIdentifier("customer", "OTHER_ID", examples=("KD-100234", "KD-000017", "KD-993310"))
RECORD = SiteIdentifier("record", "MEDICAL_RECORD", pattern=r"[0-9]{5}", words=("file no", "Akte"))


def found(text: str, *identifiers: SiteIdentifier) -> list[tuple[str, str]]:
    return [(span.type, text[span.start : span.end]) for span in scan(text, site=SitePatterns(identifiers))]


@pytest.mark.parametrize(
    ("examples", "form"),
    [
        (("KD-100234", "KD-000017", "KD-993310"), "(?i:KD)[ ./-]?[0-9]{6}"),
        (("AB-123456", "XY-000001", "QZ-777777"), "[A-Za-z]{2}[ ./-]?[0-9]{6}"),
        (("P1234", "P99", "P123456"), "(?i:P)[0-9]{2,6}"),
        (("12#345", "99#111", "10#222"), "[0-9]{2}(?:\\#)[0-9]{3}"),
    ],
)
def test_examples_say_the_form(examples: tuple[str, ...], form: str) -> None:
    assert inferred(examples) == form


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("my number is KD-555123 thanks", ["KD-555123"]),
        ("kd 555123, KD555123; kd.555123", ["kd 555123", "KD555123", "kd.555123"]),
        ("XKD-555123 KD-5551234 KD-55512", []),
        ("my number is \uff2b\uff24-\u200b555123", ["\uff2b\uff24-\u200b555123"]),
    ],
)
def test_values_of_an_identifier_by_example(text: str, values: list[str]) -> None:
    assert found(text, CUSTOMER) == [("OTHER_ID", value) for value in values]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("file no 48213 please", ["48213"]),
        ("meine Akte: 48213", ["48213"]),
        ("48213 chairs", []),
        ("file no 482134", []),
    ],
)
def test_an_identifier_with_words_counts_only_beside_them(text: str, values: list[str]) -> None:
    assert found(text, RECORD) == [("MEDICAL_RECORD", value) for value in values]


def test_the_detector_of_a_site_knows_them() -> None:
    (finding,) = Detector("US", site=SitePatterns([CUSTOMER])).scan(["I am KD-555123"])
    assert (finding.types, finding.label) == (["OTHER_ID"], Label.PERSONAL)


def test_no_identifiers_change_nothing() -> None:
    assert found("KD-555123 is my number") == []


@pytest.mark.parametrize(
    ("identifier", "why"),
    [
        (SiteIdentifier("x", "THING", pattern="KD[0-9]{6}"), "type must be one of"),
        (SiteIdentifier("x", "OTHER_ID"), "a pattern or examples"),
        (SiteIdentifier("x", "OTHER_ID", pattern="KD[0-9]{6}", examples=("KD123456",) * 3), "not both"),
        (SiteIdentifier("x", "OTHER_ID", examples=("KD1", "KD2")), "3 to 100"),
        (SiteIdentifier("x", "OTHER_ID", examples=("KD1", "KD1", "KD1")), "3 to 100"),
        (SiteIdentifier("x", "OTHER_ID", examples=("KD1234", "12KD34", "99-111")), "one form"),
        (SiteIdentifier("x", "OTHER_ID", pattern="("), "RE2"),
        (SiteIdentifier("x", "OTHER_ID", pattern=r"(?=K)KD[0-9]+"), "RE2"),
        (SiteIdentifier("x", "OTHER_ID", pattern=r"(K)D\1"), "RE2"),
        (SiteIdentifier("x", "OTHER_ID", pattern="(?:(?:K[0-9]{99}){99}){99}"), "RE2"),
        (SiteIdentifier("x", "OTHER_ID", pattern="(KD)?"), "empty"),
        (SiteIdentifier("x", "OTHER_ID", pattern="[0-9]{4,}"), "too general"),
        (SiteIdentifier("x", "OTHER_ID", pattern="[0-9]{6}"), "too general"),
        (SiteIdentifier("x", "OTHER_ID", examples=("1234", "9876", "5555")), "too general"),
        (SiteIdentifier("x", "OTHER_ID", pattern="[A-Za-z]+", words=("file",)), "ordinary word"),
        (SiteIdentifier("x", "OTHER_ID", examples=("Anna", "Otto", "Ines")), "ordinary word"),
        (SiteIdentifier("x", "OTHER_ID", pattern="K" * (PATTERN_CHARS_MAX + 1)), "at most"),
    ],
)
def test_what_would_mask_every_text_is_refused(identifier: SiteIdentifier, why: str) -> None:
    with pytest.raises(IdentifierRefused, match=why) as refusal:
        SitePatterns([identifier])
    assert str(refusal.value).startswith("x: ")


def test_no_example_is_told() -> None:
    with pytest.raises(IdentifierRefused) as refusal:
        SitePatterns([SiteIdentifier("x", "OTHER_ID", examples=("KD1234", "12KD34", "99-111"))])
    assert "1234" not in str(refusal.value)


@pytest.mark.parametrize("count", [IDENTIFIERS_MAX - 1, IDENTIFIERS_MAX, IDENTIFIERS_MAX + 1])
def test_a_site_has_so_many_and_no_more(count: int) -> None:
    identifiers = [SiteIdentifier(f"n{n}", "OTHER_ID", pattern=f"N{n}-[0-9]{{6}}") for n in range(count)]
    if count <= IDENTIFIERS_MAX:
        SitePatterns(identifiers)
    else:
        with pytest.raises(IdentifierRefused):
            SitePatterns(identifiers)


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_is_scanned_and_a_value_is_found_in_it(before: str, after: str) -> None:
    text = f"{before} KD-555123 {after}"
    spans = list(SitePatterns([CUSTOMER]).scan(text))
    assert any(span.start <= len(before) + 1 and len(before) + 10 <= span.end for span in spans)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)


@settings(deadline=None)
@given(
    st.lists(
        st.from_regex(r"[A-Z]{2}-[0-9]{6}", fullmatch=True), min_size=EXAMPLES_MIN, max_size=20, unique=True
    )
)
def test_the_form_of_examples_finds_each_of_them(examples: list[str]) -> None:
    identifier = SiteIdentifier("x", "OTHER_ID", examples=examples)
    assert all(found(f"it is {example}", identifier) for example in examples)
