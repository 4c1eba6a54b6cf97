"""The single-file verifier on times: whose clock they are, how far witnesses bound it, what the record has none of."""

from __future__ import annotations

import pytest

from edge.egress import verify
from tests import ledger_exports as exports
from tests.ledger_exports import Files, Ledger
from tests.unit.edge.egress.test_verify import check, ledger, told

DAY_MS = 86_400_000


def _seen(found: Ledger, looks: dict[int, int]) -> Files:
    """An export of which both witnesses saw so many entries at these times, in ms; the last is of all."""
    entries = found.entries()
    files = exports.export(entries, cosigned_s=looks.pop(len(entries)) // 1000)
    for size, time_ms in looks.items():
        files[f"checkpoints/{size}"] = exports.checkpoint(entries[:size], cosigned_s=time_ms // 1000)
    return files


def test_a_clock_that_was_ahead_does_not_empty_a_month() -> None:
    """All of it was written in March, by a clock that stood in April until it was April."""
    found = Ledger(exports.START_MS + 32 * DAY_MS, _compared_ms=exports.START_MS + 32 * DAY_MS)
    found.begin()
    for _ in range(3):
        found.close(found.intent(text=True))
        found.time_ms += 60_000
        found.compare()
    in_march = len(found.bodies)
    found.close(found.intent())
    looks = {in_march: exports.START_MS + 15 * DAY_MS, len(found.bodies): found.time_ms}
    files = _seen(found, looks)
    never = exports.export(found.entries(), cosigned_s=looks[in_march] // 1000)
    assert "The clock of this host was wrong, which may be why." in check(never).problems[0]
    march = told(files, first_day="2026-03-01", last_day="2026-03-31")
    assert (march["whole"], march["explained"], march["in_record"]) == (True, False, False)
    assert (march["clock_wrong_count"], verify.status_of(march)) == (in_march, 3)
    words = verify.in_words(march)
    assert "this record has nothing of that time, so it does not say." in words
    assert "THE CLOCK WAS WRONG" in words
    assert "by it that was at 2026-04-02 00:00:00 UTC" in words
    assert f"{in_march} entries at 2026-03-16 00:00:00 UTC" in words
    assert not any("Complete" in said for said in told(files)["claimed"])  # type: ignore[attr-defined]


def test_a_clock_that_was_behind_does_not_empty_one_either() -> None:
    found = ledger()
    seen = len(found.bodies)
    found.close(found.intent())
    found.link()
    looks = {seen: exports.START_MS + 15 * DAY_MS, len(found.bodies): exports.START_MS + 15 * DAY_MS}
    april = told(_seen(found, looks), need=0, first_day="2026-03-01", last_day="2026-03-01")
    assert (april["whole"], april["explained"], april["clock_wrong_count"]) == (True, False, 3)
    assert "THE CLOCK WAS WRONG" in verify.in_words(april)


@pytest.mark.parametrize(
    ("off_ms", "wrong"),
    [
        (verify.TIME_BACK_MAX_MS, 0),
        (verify.TIME_BACK_MAX_MS + 1_000, 8),
        (-verify.WITNESS_LATE_MAX_MS, 0),
        (-verify.WITNESS_LATE_MAX_MS - 1_000, 3),
    ],
)
def test_witnesses_bound_how_wrong_a_clock_can_have_been(off_ms: int, wrong: int) -> None:
    """The host's, against theirs: ahead, what they saw cannot be younger; behind, what they had not seen not older."""
    found = ledger()
    found.bodies = [{**body, "time_ms": exports.START_MS} for body in found.bodies]
    seen, found.time_ms = len(found.bodies), exports.START_MS
    found.link_close(found.link())
    found.link()
    looks = {seen: exports.START_MS - off_ms, len(found.bodies): exports.START_MS - min(0, off_ms)}
    clocks = check(_seen(found, looks)).record.clocks
    assert clocks.wrong_count == wrong
    assert len(clocks.wrong) == (wrong > 0)


def test_whose_clock_it_is_and_how_far_witnesses_bound_it_is_said() -> None:
    found = ledger()
    seen = len(found.bodies)
    found.close(found.intent())
    looks = {seen: found.time_ms, len(found.bodies): found.time_ms + 3 * 3_600_000}
    files = _seen(found, looks)
    assert "it can have been wrong by 3 hours" in verify.in_words(told(files))
    alone = verify.in_words(told(files, witnesses=()))
    assert "Times are those of this host's clock: no witness of yours says how wrong" in alone
    once = verify.in_words(told(exports.export(found.entries())))
    assert "Times are those of this host's clock: what a witness of yours saw was written by then" in once


@pytest.mark.parametrize("days", [("2026-01-01", "2026-01-31"), ("2027-01-01", None)])
def test_of_a_time_that_is_not_in_the_record_it_does_not_say_nothing_left(
    days: tuple[str, str | None],
) -> None:
    document = told(exports.export(ledger().entries()), first_day=days[0], last_day=days[1])
    assert (document["whole"], document["ok"], document["in_record"]) == (True, False, False)
    words = verify.in_words(document)
    assert f"What left from {days[0]} 00:00:00 UTC" in words
    assert "this record has nothing of that time" in words
    assert "It begins at" in words or "It ends at" in words


def _not_compared(document: dict[str, object]) -> list[tuple[int, int]]:
    gaps: list[dict[str, int]] = document["gaps"]  # type: ignore[assignment]
    return [(one["from_ms"] - exports.START_MS, one["to_ms"] - exports.START_MS) for one in gaps]


def test_before_the_first_comparison_and_after_the_last_is_not_explained() -> None:
    found = Ledger()
    found.begin()
    found.time_ms += DAY_MS
    found.compare(skip=True)
    found.time_ms += 60_000
    found.compare()
    found.time_ms += DAY_MS
    found.close(found.intent())
    document = told(exports.export(found.entries(), cosigned_s=found.time_ms // 1000))
    assert (document["whole"], document["explained"], document["gaps_count"]) == (True, False, 2)
    assert verify.status_of(document) == 6
    assert _not_compared(document) == [(0, DAY_MS), (DAY_MS + 60_000, 2 * DAY_MS + 60_000)]
    # A record that goes on only some minutes behind its last comparison is one that was just exported.
    found = ledger()
    found.time_ms += 600_000
    found.close(found.intent())
    assert told(exports.export(found.entries()))["ok"]
    # What was asked for and is not in the record is not explained either.
    days = told(exports.export(found.entries()), first_day="2026-02-28", last_day="2026-03-02")
    assert (days["ok"], days["gaps_count"], verify.status_of(days)) == (False, 2, 6)


def test_a_time_that_is_compared_twice_shows_a_clock_that_was_set_back() -> None:
    found = ledger()
    found.time_ms += 60_000
    found._compared_ms -= 1
    found.compare()
    document = told(exports.export(found.entries()))
    assert (document["whole"], document["explained"], document["set_back_count"]) == (True, False, 1)
