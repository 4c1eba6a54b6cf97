"""What the ledger explains of the kernel's count: at the bound, one byte above it, and over several periods."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge.egress import verify
from edge.egress.reconciliation import framing
from edge.egress.reconciliation.framing import Explained, Judgement, Period, believed, bound, judge
from edge.egress.reconciliation.own_traffic import Own

MINUTE = Period(0, 60_000, 5, 520, 10, 520, 0, 0, 0, 0)
"""With ten packets that have no content."""
NOTHING = Explained(0, 0, 0)


def counted(content: int) -> Period:
    return replace(MINUTE, kernel_bytes=MINUTE.header_bytes + content)


def test_the_verifier_says_the_same_once_more() -> None:
    for name in ("MINUTE", "ATTEMPT", "CONNECTION", "MESSAGE"):
        assert getattr(verify, f"{name}_BYTES") == getattr(framing, f"{name}_BYTES")
    assert (verify.SENT_PART, verify.RECEIVED_PART) == (framing.SENT_PART, framing.RECEIVED_PART)
    assert verify.MINUTES_MAX == framing.MINUTES_MAX
    assert believed(Own(*[10**9] * 5), 1, 77) == Own(*verify.OWN_MAX, 77)


@pytest.mark.parametrize(
    ("own", "explained"),
    [
        (Own(), NOTHING),
        (Own(attempts=2, connections=1, frames=4, frame_bytes=600), NOTHING),
        (Own(frames=1, frame_bytes=100), Explained(7, 50_000, 0)),
        (Own(), Explained(0, 0, 5_000)),
        (Own(received_bytes=10_000_000), NOTHING),
    ],
)
def test_at_the_bound_all_is_explained_and_above_it_the_rest_is_not(own: Own, explained: Explained) -> None:
    most = explained.bytes + bound(MINUTE, own, explained) + explained.open_bytes
    assert judge(counted(most), own, explained, 0).unexplained_bytes == 0
    assert judge(counted(most - 1), own, explained, 0).unexplained_bytes == 0
    assert judge(counted(most + 1), own, explained, 0).unexplained_bytes == 1


def test_where_a_resolver_is_silent_what_every_destination_asked_is_explained() -> None:
    """Two look-ups of 100 bytes, four times each, for five destinations every 7.5 s."""
    asked = believed(Own(attempts=5 * 8), 1, 0)
    assert judge(counted(40 * 2 * 4 * 100), asked, NOTHING, 0).unexplained_bytes == 0


def test_headers_need_no_allowance() -> None:
    many = replace(MINUTE, kernel_bytes=52_000_000, kernel_packets=1_000_000, header_bytes=52_000_000)
    assert judge(many, Own(), NOTHING, 0) == Judgement(0, 0, 0)


def test_what_was_closed_before_it_was_counted_is_carried_once() -> None:
    closed = judge(counted(0), Own(), Explained(1, 80_000, 0), 0)
    assert closed.carried >= 80_000
    assert judge(counted(80_000), Own(), NOTHING, closed.carried).unexplained_bytes == 0
    quiet = judge(counted(0), Own(), NOTHING, closed.carried)
    assert quiet.carried == 0, "whoever waits a minute finds nothing left to hide behind"


def test_what_was_counted_before_it_was_closed_explains_nothing_again() -> None:
    under_way = judge(counted(80_000), Own(), Explained(0, 0, 80_000), 0)
    assert under_way.unexplained_bytes == 0
    allowed = bound(MINUTE, Own(), NOTHING)
    assert under_way.carried == allowed - 80_000
    done = Explained(1, 80_000, 0)
    again = 80_000 + bound(MINUTE, Own(), done) + under_way.carried
    assert judge(counted(again), Own(), done, under_way.carried).unexplained_bytes == 0
    assert judge(counted(again + 1), Own(), done, under_way.carried).unexplained_bytes == 1


def test_what_left_under_an_announcement_and_was_then_not_sent_is_found() -> None:
    under_way = judge(counted(80_000), Own(), Explained(0, 0, 80_000), 0)
    found = judge(counted(0), Own(), NOTHING, under_way.carried)
    assert found.unexplained_bytes == 80_000 - 2 * bound(MINUTE, Own(), NOTHING)


def test_over_time_no_more_passes_than_the_sum_of_the_bounds() -> None:
    """Whatever is carried: a leak that fills each period to the brim, after one in which much was closed."""
    carried, passed, allowed = 0, 0, 0
    for explained in (Explained(9, 9_000, 0), Explained(9, 9_000, 0), NOTHING, NOTHING, NOTHING):
        most = carried + explained.bytes + bound(MINUTE, Own(), explained)
        found = judge(counted(most), Own(), explained, carried)
        assert found.unexplained_bytes == 0
        carried, passed = found.carried, passed + most
        allowed += explained.bytes + bound(MINUTE, Own(), explained)
    assert passed <= allowed


def test_a_time_without_a_courier_allows_no_more_than_its_minutes_max() -> None:
    night = replace(MINUTE, to_ms=8 * 3_600_000)
    assert bound(night, Own(), NOTHING) == framing.MINUTES_MAX * framing.MINUTE_BYTES
