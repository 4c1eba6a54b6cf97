"""A document's bounds come back as they were typed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.knowledge import metadata
from edge.knowledge.dates import first_day, last_day
from edge.knowledge.metadata import first_moment, last_moment


@pytest.fixture(autouse=True, params=["UTC", "America/New_York", "Pacific/Auckland"], scope="module")
def zone(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2090, 1, 1)))
def test_a_day_comes_back(day: object) -> None:
    typed = str(day)
    assert first_day(metadata.written(first_moment(typed).at_ms)) == typed
    assert last_day(metadata.written(last_moment(typed).at_ms)) == typed


def test_a_time_and_no_bound_come_back() -> None:
    assert first_day(metadata.written(first_moment("2026-12-31T18:30").at_ms)) == "2026-12-31T18:30"
    assert last_day(metadata.written(last_moment("2026-12-31T18:30").at_ms)) == "2026-12-31T18:30"
    assert (first_day(None), last_day(None)) == ("", "")
