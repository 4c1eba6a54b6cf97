"""Patterns and validators: what they find, what they leave alone, and that their time stays linear."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detect.patterns import scan
from models.detect.spans import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When are you open on Saturday?", []),
        ("Room 214 at 9:30, floor 3", []),
        ("write to a.b@example.org please", [("EMAIL", "a.b@example.org")]),
        ("call 617-555-0123 after six", [("PHONE", "617-555-0123")]),
        ("my card 4111 1111 1111 1111 exp", [("CREDIT_CARD", "4111 1111 1111 1111")]),
        ("number 4111 1111 1111 1112 exp", []),
        # A slip of the finger does not make it public.
        ("my card 4111 1111 1111 1112 exp", [("CREDIT_CARD", "4111 1111 1111 1112")]),
        ("pay to DE89 3704 0044 0532 0130 00 today", [("IBAN", "DE89 3704 0044 0532 0130 00")]),
        ("ssn 536-22-1234", [("US_SSN", "536-22-1234")]),
        ("I was born 12/03/1981", [("DATE_OF_BIRTH", "12/03/1981")]),
        ("appointment on 3 March 2026", [("DATE", "3 March 2026")]),
        ("from 10.0.0.1", [("IP_ADDRESS", "10.0.0.1")]),
        ("mac aa:bb:cc:dd:ee:ff", [("MAC_ADDRESS", "aa:bb:cc:dd:ee:ff")]),
        ("see https://example.org/x", [("URL", "https://example.org/x")]),
    ],
)
def test_findings(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(span.type, text[span.start : span.end]) for span in scan(text)] == expected


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_scanned_and_spans_lie_inside_it_in_order(text: str) -> None:
    spans = scan(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_what_loses_keeps_the_rest_of_its_text() -> None:
    text = "see https://example.org/list?who=anna@example.org&page=2"
    found = [(span.type, text[span.start : span.end]) for span in scan(text)]
    assert ("EMAIL", "anna@example.org") in found
    assert ("URL", "https://example.org/list?who") in found


def test_redaction_replaces_values_by_types() -> None:
    text = "write to a.b@example.org or 617-555-0123"
    assert redact(text, scan(text)) == "write to [EMAIL] or [PHONE]"
