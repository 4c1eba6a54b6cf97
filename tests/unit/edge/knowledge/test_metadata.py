"""What is said of a document: what changes and what stays, and how dates are read."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.knowledge.document import Audience, Metadata, State, Validity
from edge.knowledge.metadata import (
    OWNER_CHARS_MAX,
    BadMetadata,
    Bound,
    MetadataChange,
    as_json,
    first_moment,
    last_moment,
    written,
)

OLD = Metadata(Audience.STAFF, "Ward 3", State.DRAFT, Validity(10, 20))


def ms(*parts: int) -> int:
    return round(datetime(*parts).timestamp() * 1000)  # type: ignore[arg-type]  # noqa: DTZ001


def test_what_is_not_said_stays() -> None:
    assert MetadataChange().applied_to(OLD) == OLD


@pytest.mark.parametrize(
    ("change", "new"),
    [
        (
            MetadataChange(audience=Audience.PUBLIC),
            Metadata(Audience.PUBLIC, "Ward 3", State.DRAFT, Validity(10, 20)),
        ),
        (MetadataChange(owner="  "), Metadata(Audience.STAFF, "", State.DRAFT, Validity(10, 20))),
        (
            MetadataChange(state=State.RETIRED),
            Metadata(Audience.STAFF, "Ward 3", State.RETIRED, Validity(10, 20)),
        ),
        (
            MetadataChange(valid_from=Bound(None)),
            Metadata(Audience.STAFF, "Ward 3", State.DRAFT, Validity(None, 20)),
        ),
        (
            MetadataChange(valid_until=Bound(11)),
            Metadata(Audience.STAFF, "Ward 3", State.DRAFT, Validity(10, 11)),
        ),
    ],
)
def test_each_part_changes_alone(change: MetadataChange, new: Metadata) -> None:
    assert change.applied_to(OLD) == new


@pytest.mark.parametrize(
    "change",
    [
        MetadataChange(valid_until=Bound(10)),
        MetadataChange(valid_from=Bound(20)),
        MetadataChange(owner="x" * (OWNER_CHARS_MAX + 1)),
    ],
)
def test_what_cannot_be_is_refused(change: MetadataChange) -> None:
    with pytest.raises(BadMetadata):
        change.applied_to(OLD)


def test_an_owner_at_the_limit_is_kept() -> None:
    assert MetadataChange(owner="x" * OWNER_CHARS_MAX).applied_to(OLD).owner == "x" * OWNER_CHARS_MAX


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-12-31", ms(2026, 12, 31), ms(2027, 1, 1)),
        (" 2026-12-31T18:30 ", ms(2026, 12, 31, 18, 30), ms(2026, 12, 31, 18, 30)),
        ("2026-12-31T00:00", ms(2026, 12, 31), ms(2026, 12, 31)),
        ("2026-12-31T18:00+00:00", 1_798_740_000_000, 1_798_740_000_000),
        ("None", None, None),
    ],
)
def test_dates_are_read_as_people_mean_them(text: str, first: int | None, last: int | None) -> None:
    assert (first_moment(text), last_moment(text)) == (Bound(first), Bound(last))


@pytest.mark.parametrize("text", ["", "tomorrow", "31.12.2026", "2026-02-30", "9999-12-31T99:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadMetadata):
        last_moment(text)


@given(st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1000))
def test_a_moment_is_written_so_that_it_can_be_read(at_ms: int) -> None:
    assert first_moment(written(at_ms) or "") == Bound(at_ms)


@given(st.none() | st.integers(-100, 100), st.none() | st.integers(-100, 100), st.integers(-100, 100))
def test_validity_holds_from_its_first_moment_until_before_its_last(
    from_ms: int | None, until_ms: int | None, at_ms: int
) -> None:
    begun = from_ms is None or at_ms >= from_ms
    ended = until_ms is not None and at_ms >= until_ms
    assert Validity(from_ms, until_ms).holds(at_ms) == (begun and not ended)


def test_metadata_is_shown_in_plain_words() -> None:
    shown = as_json(Metadata())
    assert shown == {
        "audience": "public",
        "owner": "",
        "state": "approved",
        "valid_from": None,
        "valid_until": None,
    }
