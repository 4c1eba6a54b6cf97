"""Many patterns in one pass."""

from __future__ import annotations

import pytest
import re2

from core.pattern_set import PatternSet


def test_each_pattern_that_stands_in_a_text_is_found() -> None:
    patterns = PatternSet([r"\bcat\b", r"\d+", "dog"])
    assert sorted(patterns.found("a cat and 2 dogs")) == [0, 1, 2]
    assert patterns.bits("a category and 2 dogs") == 0b110
    assert patterns.found("") == []
    assert patterns.bits("") == 0


def test_case_counts_unless_told_otherwise() -> None:
    assert PatternSet(["cat"]).found("Cat") == []
    assert PatternSet(["cat"], ignore_case=True).found("CAT") == [0]


def test_half_of_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert PatternSet(["cat"]).found("\ud800 cat") == [0]


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=a)"])
def test_what_cannot_be_searched_in_linear_time_is_refused(pattern: str) -> None:
    with pytest.raises(re2.error):
        PatternSet([pattern])
