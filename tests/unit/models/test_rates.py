"""Measured miss rates: a file, its intervals, and that what was not measured has none."""

from __future__ import annotations

import pytest

from edge.privacy.policy import MISS_RATE_MAX, Risk
from models.detect.rates import (
    NOTHING_MEASURED,
    SAMPLES_MIN,
    Rate,
    RatesUnreadable,
    parse,
    shipped,
)
from tests.measured_node import INVENTED

GOOD = """
measured_on = 2026-11-29
data = "made up"
[language.en]
PERSON = { missed = 10, of = 500 }
EMAIL = { missed = 0, of = 500 }
[language.de]
EMAIL = { missed = 0, of = 100000 }
"""


def test_what_is_found_worst_counts_whatever_else_is_found_well() -> None:
    found = parse(GOOD).of("en")
    assert found is not None
    assert found.groups == {"names": Rate(missed=10, of=500), "all the rest": Rate(missed=0, of=500)}
    assert found.worst == ("names", Rate(missed=10, of=500))
    assert found.at_most == pytest.approx(0.0364, abs=5e-4)


@pytest.mark.parametrize(
    ("addresses", "groups"),
    [
        ("{ missed = 5, of = 9 }", {"names": (1, 500), "all the rest": (5, 10_009)}),
        ("{ missed = 5, of = 10 }", {"names": (1, 500), "addresses": (5, 10), "all the rest": (0, 10_000)}),
        ("{ missed = 0, of = 11 }", {"names": (1, 500), "addresses": (0, 11), "all the rest": (0, 10_000)}),
    ],
)
def test_addresses_are_judged_alone_from_ten_on(addresses: str, groups: dict[str, tuple[int, int]]) -> None:
    name = "language.en"
    rates = parse(
        f"{name}.PERSON = {{ missed = 1, of = 500 }}\n{name}.ADDRESS = {addresses}\n"
        f"{name}.EMAIL = {{ missed = 0, of = 4000 }}\n{name}.PHONE = {{ missed = 0, of = 6000 }}"
    )
    found = rates.of("en")
    assert found is not None
    assert {name: (rate.missed, rate.of) for name, rate in found.groups.items()} == groups


@pytest.mark.proves("policy")
def test_with_the_shipped_detector_no_text_leaves_under_any_tolerance() -> None:
    """What docs/privacy.md and docs/operations.md say; a detector that gets better must change it there."""
    rates = shipped()
    widest = max(MISS_RATE_MAX.values())
    assert [code for code in rates.language if (found := rates.of(code)) and found.at_most <= widest] == []
    english = rates.of("en")
    assert english is not None
    assert english.worst[0] == "addresses"


def test_nodes_of_tests_go_by_figures_that_only_high_lets_pass() -> None:
    english = INVENTED.of("en")
    assert english is not None
    assert MISS_RATE_MAX[Risk.MODERATE] < english.at_most <= MISS_RATE_MAX[Risk.HIGH]


def test_with_fewer_names_than_ten_a_language_is_not_measured() -> None:
    def of(names: int) -> object:
        return parse(f"language.en.PERSON = {{ missed = 0, of = {names} }}").of("en")

    assert of(SAMPLES_MIN - 1) is None
    assert of(SAMPLES_MIN) is not None


@pytest.mark.parametrize("language", ["de", "fr", None, ""])
def test_without_names_or_without_an_entry_a_language_is_not_measured(language: str | None) -> None:
    assert parse(GOOD).of(language) is None
    assert NOTHING_MEASURED.of(language) is None


@pytest.mark.proves("detection")
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


@pytest.mark.proves("tested-releases")
def test_the_shipped_file_can_be_read() -> None:
    shipped()
