"""Findings put together: nothing that anybody found is left uncovered, the surer type stands, time stays linear."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detect.covering import cover
from models.detect.spans import Span

TEXT = "12 Mill Lane, call 617-555-0123 or mail"


@pytest.mark.parametrize(
    ("given_spans", "expected"),
    [
        ([], []),
        ([("ADDRESS", 0, 12, 0.7)], [("ADDRESS", 0, 12)]),
        # A number inside an address does not uncover the street.
        ([("ADDRESS", 0, 31, 0.7), ("PHONE", 19, 31, 0.9)], [("ADDRESS", 0, 18), ("PHONE", 19, 31)]),
        ([("ADDRESS", 0, 31, 0.9), ("PHONE", 19, 31, 0.7)], [("ADDRESS", 0, 31)]),
        # Both ends of what loses.
        ([("OTHER_ID", 14, 39, 0.5), ("PHONE", 19, 31, 0.9)],
         [("OTHER_ID", 14, 18), ("PHONE", 19, 31), ("OTHER_ID", 32, 39)]),
        # One letter is taken in; two stand for themselves.
        ([("OTHER_ID", 17, 31, 0.5), ("PHONE", 19, 31, 0.9)], [("PHONE", 17, 31)]),
        ([("OTHER_ID", 16, 31, 0.5), ("PHONE", 19, 31, 0.9)], [("OTHER_ID", 16, 18), ("PHONE", 19, 31)]),
        # As sure: the longer one.
        ([("PERSON", 3, 7, 0.8), ("ADDRESS", 0, 12, 0.8)], [("ADDRESS", 0, 12)]),
    ],
)  # fmt: skip
def test_what_stands(
    given_spans: list[tuple[str, int, int, float]], expected: list[tuple[str, int, int]]
) -> None:
    found = cover(TEXT, [Span(*one) for one in given_spans])
    assert [(span.type, span.start, span.end) for span in found] == expected


def test_an_accent_of_its_own_is_not_cut_off() -> None:
    text = "Ren\u0065\u0301 Mu\u0308ller"
    found = cover(text, [Span("OTHER_ID", 0, len(text), 0.5), Span("PERSON", 6, 8, 0.9)])
    assert text[: found[0].end] == "Rene\u0301"
    # The accent of what was taken stays covered.
    assert found[-1].end == len(text)
    assert found[-1].start == 8


def test_an_accent_alone_is_taken_in() -> None:
    found = cover("Jose\u0301", [Span("OTHER_ID", 0, 5, 0.5), Span("PERSON", 0, 4, 0.9)])
    assert [(span.type, span.start, span.end) for span in found] == [("PERSON", 0, 5)]


SPANS = st.builds(
    lambda kind, start, length, score: Span(kind, start, start + length, score),
    st.sampled_from(["PERSON", "PHONE", "ADDRESS"]),
    st.integers(0, 30),
    st.integers(1, 15),
    st.sampled_from([0.5, 0.7, 0.9]),
)


@given(st.lists(SPANS, max_size=12))
def test_no_overlap_and_nothing_uncovered(spans: list[Span]) -> None:
    text = "x" * 45
    found = cover(text, spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
    covered = {place for span in found for place in range(span.start, span.end)}
    wanted = {place for span in spans for place in range(span.start, span.end)}
    assert covered == wanted


def test_a_text_full_of_findings_is_put_together() -> None:
    text = "1.1.1.1 " * 8_000
    spans = [Span("IP_ADDRESS", at, at + 7, 0.9) for at in range(0, len(text), 8)]
    spans += [Span("DATE", at + 2, at + 10, 0.6) for at in range(0, len(text) - 8, 8)]
    assert len(cover(text, spans)) == 8_000
