"""Labels: which types make which, and that their order is theirs and not the alphabet's."""

from __future__ import annotations

import itertools

import pytest

from models.detect.label import WEAK, Label, label_of
from models.detect.spans import Span


def spans(*types: str) -> list[Span]:
    return [Span(name, index, index + 1, 0.9) for index, name in enumerate(types)]


@pytest.mark.parametrize(
    ("types", "special", "expected"),
    [
        ((), False, Label.PUBLIC),
        ((), True, Label.SPECIAL),
        (("LOCATION",), False, Label.INTERNAL),
        (tuple(sorted(WEAK)), False, Label.INTERNAL),
        (("LOCATION", "PERSON"), False, Label.PERSONAL),
        (("PHONE",), False, Label.PERSONAL),
        (("PERSON",), True, Label.SPECIAL),
        (("SOMETHING_NEW",), False, Label.PERSONAL),
    ],
)
def test_label_of_what_was_found(types: tuple[str, ...], special: bool, expected: Label) -> None:
    assert label_of(spans(*types), special) is expected


def test_labels_have_an_order_of_their_own() -> None:
    ordered = [Label.PUBLIC, Label.INTERNAL, Label.PERSONAL, Label.SPECIAL]
    for one, other in itertools.product(range(4), repeat=2):
        first, second = ordered[one], ordered[other]
        assert (first < second, first <= second) == (one < other, one <= other)
        assert (first > second, first >= second) == (one > other, one >= other)
        assert max(first, second) is ordered[max(one, other)]
