"""Measured miss rates: a file, its intervals, and that what was not measured has none."""

from __future__ import annotations

import pytest

from models.detect.rates import NOTHING_MEASURED, Rate, RatesUnreadable, parse, shipped

GOOD = """
measured_on = 2026-11-29
data = "made up"
[language.en]
PERSON = { missed = 10, of = 500 }
EMAIL = { missed = 0, of = 500 }
[language.de]
EMAIL = { missed = 0, of = 100000 }
"""


def test_a_language_is_measured_by_all_its_types_together() -> None:
    rates = parse(GOOD)
    found = rates.of("en")
    assert found == Rate(missed=10, of=1000)
    assert found.share == pytest.approx(0.01)


@pytest.mark.parametrize("language", ["de", "fr", None, ""])
def test_without_names_or_without_an_entry_a_language_is_not_measured(language: str | None) -> None:
    assert parse(GOOD).of(language) is None
    assert NOTHING_MEASURED.of(language) is None


@pytest.mark.parametrize(
    ("missed", "of", "at_most"),
    # Wilson intervals by hand and from published tables.
    [(0, 10, 0.2775), (5, 100, 0.1118), (50, 1000, 0.0653), (10, 10, 1.0)],
)
def test_few_samples_count_as_a_high_rate(missed: int, of: int, at_most: float) -> None:
    assert Rate(missed=missed, of=of).at_most == pytest.approx(at_most, abs=5e-4)


@pytest.mark.parametrize(
    "text",
    [
        "language.en.PERSON = { missed = 2, of = 1 }",
        "language.en.PERSON = { missed = 0, of = 0 }",
        "language.en.PERSON = { missed = -1, of = 5 }",
        "language.en.SHOE_SIZE = { missed = 0, of = 5 }",
        "language.english.PERSON = { missed = 0, of = 5 }",
        "language.en.PERSON = { missed = 0.5, of = 5 }",
        "else = 1",
        "[",
    ],
)
def test_a_damaged_file_is_refused(text: str) -> None:
    with pytest.raises(RatesUnreadable):
        parse(text)


def test_the_shipped_file_can_be_read() -> None:
    shipped()
