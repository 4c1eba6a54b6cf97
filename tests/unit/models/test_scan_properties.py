"""What holds for every text: nothing raises, spans lie inside, in order, and where the value stands; work is linear."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detect import patterns
from models.detect.forms import numbers, phones
from models.detect.forms.evidence import PROBABILITY_MAX, THRESHOLD
from models.detect.forms.regions import stretches
from models.detect.patterns import scan
from tests.bench.pii_hostile import hostile_texts
from tests.bench.pii_values import KINDS, NAMED

PIECES = [
    *"0123456789 .-/@:+()%&\n",
    "4111 1111 1111 1111", "nhs ", "order ", "DE89", "born ", "12/03/1981", "one ", "double ", " at ", " dot ", "www.",
    "%34", "&#52;", "\\u0034", "NDExMQ==", "\u200b", "\u2460", "\u0430", "\ud800", "\U000e0034", "é", "x12", "MRN", "A",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=60).map("".join)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(["US", "GB", "DE", "XX"]))
def test_any_text_is_scanned_and_spans_lie_inside_it_in_order(text: str, region: str) -> None:
    spans = scan(text, region=region)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(THRESHOLD <= span.score <= PROBABILITY_MAX for span in spans)


@settings(deadline=None)
@given(st.integers(), st.text(max_size=40), st.text(max_size=40))
def test_a_value_is_found_where_it_stands_whatever_surrounds_its_line(
    seed: int, before: str, after: str
) -> None:
    chance = random.Random(seed)
    kind = chance.choice(KINDS)
    value = kind.value(chance)
    line = chance.choice(NAMED[:4]).format(name=chance.choice(kind.names), value=value)
    text = f"{before}\n\n{line}\n\n{after}"
    start = text.index(line) + line.index(value)
    assert any(s.start <= start and start + len(value) <= s.end for s in scan(text, region=kind.region))


# Ratios, not times: twice the text is at most twice the candidates, stretches and telephones that are looked at.
@pytest.mark.parametrize("name", hostile_texts(64))
def test_work_grows_no_faster_than_the_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    half, whole = (_work(hostile_texts(chars)[name], monkeypatch) for chars in (8_192, 16_384))
    assert whole <= 2 * half + 64


def _work(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    looks = 0

    def counted(real):  # type: ignore[no-untyped-def]
        def look(*arguments):  # type: ignore[no-untyped-def]
            nonlocal looks
            looks += 1
            return real(*arguments)

        return look

    with monkeypatch.context() as patch:
        patch.setattr(numbers, "_span", counted(numbers._span))
        patch.setattr(phones, "_span", counted(phones._span))
        patch.setattr(patterns, "Span", counted(patterns.Span))
        scan(text)
    return looks


def test_a_flood_of_numbers_hides_none() -> None:
    flood = " ".join(f"account {n:09}" for n in range(numbers.CANDIDATES_MAX))
    text = f"{flood} and 4111 1111 1111 1111"
    assert scan(text)[-1].end == len(text)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_at_the_limit_of_candidates_nothing_is_lost(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "CANDIDATES_MAX", 40 + more)
    text = "\n".join(f"ssn 536-22-{n:04}" for n in range(1, 41))
    assert len(scan(text)) == 40


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_at_the_limit_of_telephones_nothing_is_lost(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "CANDIDATES_MAX", 40 + more)
    text = "\n".join(f"call +1 617 555 {n:04}" for n in range(1, 41))
    assert len(scan(text)) == 40


def test_a_long_stretch_is_read_in_pieces_that_overlap() -> None:
    text = "12 " * 40 + "4111 1111 1111 1111" + " 12" * 40
    assert any(s.type == "CREDIT_CARD" for s in scan(text))
    assert sum(1 for _ in stretches("00 " * 100)) > 1
