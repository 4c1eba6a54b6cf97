"""A million turns of conversations side by side: nobody gets another's value, and no conversation another's."""

from __future__ import annotations

import pytest

from tests.bench.pseudonyms import talk_all

TURNS = 1_000_000


@pytest.mark.soak
def test_a_million_turns() -> None:
    found, _ = talk_all(0, TURNS)
    counts = found.counts
    assert (counts.wrong_person, counts.cross_session, counts.not_restored) == (0, 0, 0), counts.first_wrong
    assert found.different_cuts == 0
