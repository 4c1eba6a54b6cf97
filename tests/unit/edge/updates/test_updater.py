"""Updates from what is wanted to what is kept or undone, through stops at any step."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import pytest

from edge.egress.fetch.client import FetchFailed
from edge.egress.records.guard import refusal_of
from edge.operations.updates import told
from edge.updates.installer import Figures, InstallRefused
from edge.updates.steps import End, Step
from edge.updates.watching import TURNS_MIN, Vitals
from tests.contract.courier_process import until
from tests.unit.edge.updates.updater_rig import FILES, Rig, refused, update


async def test_it_runs_is_watched_and_kept(rig: Rig) -> None:
    async with rig.running(update()):
        row = await rig.ended(update())
    assert (row.standing.end, rig.slots.serving()) == (End.KEPT, "2.0")
    assert rig.slots.calls == ["discard", "stage", "gate", "activate", "keep"]
    assert row.noted.bytes_fetched == sum(map(len, FILES.values()))
    order = ["fetch", "verify", "stage", "gate", "activate", "watch", "keep"]
    assert await rig.told() == [(step, what, "") for step in order for what in ("begun", "done")]
    # The line above it ended the process: the next life puts away what that left.
    async with rig.running(update()):
        await until(lambda: not list((rig.folder / "blobs").iterdir()))


async def test_what_goes_up_is_what_the_guard_lets_out(rig: Rig) -> None:
    """With what a gate measured that refused it: every figure there is."""
    figures = Figures(*range(len(fields(Figures))))
    rig.slots.gate_refusal = InstallRefused("gate", figures=figures)
    async with rig.running(update()):
        row = await rig.ended(update())

    def read(db):
        return db.execute("SELECT kind, payload, payload_hash FROM outbox ORDER BY sequence").fetchall()

    found = await rig.store.read(read)
    for kind, payload, payload_hash in found:
        assert refusal_of(kind, payload, payload_hash) == ""
    last = json.loads(found[-1][1])
    assert (last["step"], last["outcome"], last["reason"]) == ("gate", "failed", "gate")
    assert {name: last[name] for name in asdict(figures)} == asdict(figures)
    assert {name: told(row)[name] for name in asdict(figures)} == asdict(figures)


async def test_the_same_is_not_done_twice(rig: Rig) -> None:
    async with rig.running(update()):
        await rig.ended(update())
    async with rig.running(update()) as updater:
        updater.want([update()])
        updater.want([update(), update("1.5", name="org-other")])
        await rig.ended(update("1.5", name="org-other"))
    assert rig.slots.calls.count("stage") == 2


async def test_what_made_way_is_carried_out_anew_when_it_is_wanted_again(rig: Rig) -> None:
    """As the control plane does when it takes a rollout back: the one before counts, under its old rollout."""
    first, second = update("2.0", "r1"), update("3.0", "r2")
    async with rig.running(first) as updater:
        await rig.ended(first)
        updater.want([second])
        await rig.ended(second)
        assert rig.slots.serving() == "3.0"
        updater.want([first])
        await until(lambda: rig.slots.calls.count("keep") == 3)
        await rig.ended(first)
    assert rig.slots.serving() == "2.0"
    # It is the last that was kept now: nothing more is to be done, not even after a start.
    async with rig.running(first, update("1.5", name="org-other")):
        await rig.ended(update("1.5", name="org-other"))
    assert rig.slots.calls.count("keep") == 4


@pytest.mark.parametrize("reason", ["golden", "crashes"])
async def test_what_serves_again_after_another_failed_is_not_carried_out_anew(rig: Rig, reason: str) -> None:
    first, second = update("2.0", "r1"), update("3.0", "r2")
    async with rig.running(first) as updater:
        await rig.ended(first)
        if reason == "golden":
            rig.slots.gate_refusal = refused(reason)
        else:
            rig.slots.unhealthy = reason
        updater.want([second])
        assert (await rig.ended(second)).standing.reason == reason
        updater.want([first])
        rig.slots.gate_refusal, rig.slots.unhealthy = None, ""
        updater.want([first, update("1.5", name="org-other")])
        await rig.ended(update("1.5", name="org-other"))
    assert [row.update.version for row in await rig.listing()] == ["1.5", "3.0", "2.0"]
    assert rig.slots.calls.count("stage") == 3


@pytest.mark.parametrize("reason", ["golden", "agreement"])
async def test_a_gate_that_is_failed_leaves_what_ran(rig: Rig, reason: str) -> None:
    rig.slots.gate_refusal = refused(reason)
    async with rig.running(update()):
        row = await rig.ended(update())
        await until(lambda: rig.slots.calls == ["discard", "stage", "gate", "discard"])
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (End.REFUSED, reason, "1.0")
    assert (await rig.told())[-1] == ("gate", "failed", reason)


async def test_what_is_not_trusted_is_not_even_fetched(rig: Rig) -> None:
    rig.cloud.refusal = refused("signature")
    async with rig.running(update()):
        row = await rig.ended(update())
        await until(lambda: rig.slots.calls == ["discard"])
    assert (row.standing.end, row.standing.reason) == (End.REFUSED, "signature")
    assert rig.cloud.served == []


async def test_metadata_that_has_expired_holds_up_and_does_not_end_it(rig: Rig) -> None:
    rig.cloud.refusal = refused("expired", passing=True)
    async with rig.running(update()):
        await until(lambda: rig.cloud.refusal is not None)

        async def tried() -> bool:
            return any(row.standing.tries > 1 for row in await rig.listing())

        await until(tried)
        assert rig.slots.serving() == "1.0"
        rig.cloud.refusal = None
        row = await rig.ended(update())
    assert row.standing.end is End.KEPT


async def test_a_line_that_breaks_goes_on_at_the_chunk(rig: Rig) -> None:
    rig.cloud.cut_after = 1
    async with rig.running(update()):
        row = await rig.ended(update())
    assert row.standing.end is End.KEPT
    assert len(rig.cloud.served) == len(set(rig.cloud.served)) == len(rig.cloud.pieces)


async def test_a_chunk_that_is_another_is_never_used(rig: Rig) -> None:
    digest = next(iter(rig.cloud.pieces))
    content = rig.cloud.pieces[digest]
    rig.cloud.pieces[digest] = bytes(len(content))
    async with rig.running(update()):

        async def tried() -> bool:
            return any(row.standing.tries > 1 for row in await rig.listing())

        await until(tried)
        assert "stage" not in rig.slots.calls
        rig.cloud.pieces[digest] = content
        assert (await rig.ended(update())).standing.end is End.KEPT


async def test_what_waits_for_its_window_holds_nothing_up(rig: Rig) -> None:
    rig.may_fetch = lambda: False
    large = update()
    async with rig.running(large) as updater:
        await until(lambda: [row.standing.reason for row in updater.running()] == ["window"])
        rig.cloud.files, small = {"labels.txt": FILES["labels.txt"]}, update("1.5", name="org-other")
        updater.want([large, small])
        assert (await rig.ended(small)).standing.end is End.KEPT
        (waits,) = (row for row in await rig.listing() if row.running)
    assert (waits.standing.step, waits.standing.tries) == (Step.FETCH, 0)
    assert waits.noted.bytes_fetched == 0


async def test_a_fetch_makes_way_for_what_is_to_be_kept(rig: Rig) -> None:
    first, second = update(watch_s=5), update("1.5", name="org-other")
    async with rig.running(first) as updater:
        await rig.at("watch")
        rig.cloud.line.clear()
        rig.cloud.files = {"more.bin": b"other"}
        updater.want([first, second])
        row = await rig.ended(first)
        assert (row.standing.end, (await rig.listing())[0].standing.step) == (End.KEPT, Step.FETCH)


async def test_nothing_large_is_fetched_outside_its_window(rig: Rig) -> None:
    is_open = False
    rig.may_fetch = lambda: is_open
    async with rig.running(update()) as updater:
        await rig.at("fetch")
        await until(lambda: [row.standing.reason for row in updater.running()] == ["window"])
        assert rig.cloud.served == []
        is_open = True
        assert (await rig.ended(update())).standing.end is End.KEPT


@pytest.mark.parametrize("step", ["stage", "gate", "activate", "keep", "roll_back"])
async def test_a_stop_in_the_midst_of_a_step(rig: Rig, step: str) -> None:
    """What serves is whole at every moment, and after a start it goes on to the same end."""
    if step == "roll_back":
        rig.slots.unhealthy = "crashes"
    rig.slots.stop_at = step
    async with rig.running(update()):
        await until(lambda: step in rig.slots.calls)
        assert rig.slots.serving() in {"1.0", "2.0"}
    assert rig.slots.serving() in {"1.0", "2.0"}
    rig.slots.stop_at = ""
    async with rig.running(update()):
        row = await rig.ended(update())
    expected = (End.RETURNED, "1.0") if step == "roll_back" else (End.KEPT, "2.0")
    assert (row.standing.end, rig.slots.serving()) == expected


async def test_a_stop_during_the_fetch_costs_nothing_that_came(rig: Rig) -> None:
    rig.cloud.line.clear()
    async with rig.running(update()):
        await rig.at("fetch")
        rig.cloud.cut_after = 2
        rig.cloud.line.set()
        await until(lambda: len(rig.cloud.served) == 2)
        rig.cloud.line.clear()
    rig.cloud.line.set()
    async with rig.running(update()):
        await rig.ended(update())
    assert len(rig.cloud.served) <= len(rig.cloud.pieces) + 1


async def test_an_unhealthy_one_goes_back(rig: Rig) -> None:
    rig.slots.unhealthy = "runtime_lost"
    async with rig.running(update(watch_s=3600)):
        row = await rig.ended(update(watch_s=3600))
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (
        End.RETURNED,
        "runtime_lost",
        "1.0",
    )
    assert (await rig.told())[-3:] == [
        ("watch", "failed", "runtime_lost"),
        ("roll_back", "begun", "runtime_lost"),
        ("roll_back", "done", "runtime_lost"),
    ]


async def test_a_healthy_one_that_answers_worse_goes_back(rig: Rig) -> None:
    wanted = update(watch_s=3600)
    async with rig.running(wanted):
        await rig.at("watch")
        rig.vitals.now_is = Vitals(turns=TURNS_MIN, unanswered=TURNS_MIN)
        row = await rig.ended(wanted)
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (End.RETURNED, "quality", "1.0")


async def test_a_node_that_starts_again_and_again_goes_back(rig: Rig) -> None:
    wanted = update(watch_s=3600)
    async with rig.running(wanted):
        await rig.at("watch")
    for starts in range(1, 4):
        async with rig.running(wanted) as updater:
            await until(lambda: [row.noted.starts for row in updater.running()] == [starts])  # noqa: B023
        assert rig.slots.serving() == "2.0"
    async with rig.running(wanted):
        row = await rig.ended(wanted)
    assert (row.standing.reason, rig.slots.serving()) == ("restarts", "1.0")


async def test_a_node_that_is_switched_off_each_night_keeps_it(rig: Rig) -> None:
    wanted = update(watch_s=3600)
    async with rig.running(wanted):
        await rig.at("watch")
    rig.settled_s = 0.0
    for night in range(1, 6):
        async with rig.running(wanted) as updater:
            await until(lambda: rig.slots.calls.count("settle") == night)  # noqa: B023
            await until(lambda: [row.noted.starts for row in updater.running()] == [0])
    assert (rig.slots.serving(), "roll_back" in rig.slots.calls) == ("2.0", False)


@pytest.mark.parametrize(
    ("step", "end", "serves"), [("fetch", End.REFUSED, "1.0"), ("watch", End.RETURNED, "1.0")]
)
async def test_what_nobody_wants_any_more_is_given_up(rig: Rig, step: str, end: End, serves: str) -> None:
    wanted = update(watch_s=3600)
    if step == "fetch":
        rig.cloud.line.clear()
    async with rig.running(wanted) as updater:
        await rig.at(step)
        updater.want([])
        row = await rig.ended(wanted)
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (end, "withdrawn", serves)


async def test_a_newer_one_takes_the_place_of_one_that_is_watched(rig: Rig) -> None:
    older, newer = update(watch_s=3600), update("3.0", "r2")
    async with rig.running(older) as updater:
        await rig.at("watch")
        updater.want([newer])
        row = await rig.ended(newer)
    assert (row.standing.end, rig.slots.serving()) == (End.KEPT, "3.0")
    assert [one.standing.end for one in await rig.listing()] == [End.KEPT, End.RETURNED]


async def test_while_one_is_watched_another_is_fetched(rig: Rig) -> None:
    watched, other = update(watch_s=3600), update("1.5", name="org-other")
    async with rig.running(watched, other):
        await rig.at("activate")  # the newest of the two
        assert [one.standing.step for one in await rig.listing()] == [Step.ACTIVATE, Step.WATCH]


@pytest.mark.parametrize("unhealthy", ["", "crashes"])
async def test_a_model_waits_until_another_one_is_kept_or_gone(rig: Rig, unhealthy: str) -> None:
    """Its way back says what serves, under whichever name, and what is watched may be gone by then."""
    watched, other = update(watch_s=3600), update("1.5", name="org-other")
    async with rig.running(watched, other) as updater:
        await rig.at("activate")
        assert rig.slots.serving() == "2.0"
        if unhealthy:
            rig.slots.unhealthy = unhealthy
            assert (await rig.ended(watched)).standing.end is End.RETURNED
            rig.slots.unhealthy = ""
        else:
            updater.want([other])
            assert (await rig.ended(watched)).standing.reason == "withdrawn"
        row = await rig.ended(other)
    assert (row.standing.end, row.noted.way_back, rig.slots.serving()) == (End.KEPT, "1.0", "1.5")


async def test_what_waits_for_another_one_is_given_up_without_a_way_back(rig: Rig) -> None:
    watched, other = update(watch_s=3600), update("1.5", name="org-other")
    async with rig.running(watched, other) as updater:
        await rig.at("activate")
        updater.want([watched])
        row = await rig.ended(other)
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (End.REFUSED, "withdrawn", "2.0")
    assert "roll_back" not in rig.slots.calls


async def test_what_fails_half_activated_goes_back(rig: Rig) -> None:
    rig.slots.fails_at = "activate"
    async with rig.running(update()):
        row = await rig.ended(update())
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (End.RETURNED, "disk", "1.0")
    assert rig.slots.calls.count("activate") == 1


async def test_the_way_back_is_taken_once_and_before_anything_changes(rig: Rig) -> None:
    """Of the first of its name it is empty, and that says: remove it."""
    rig.slots.way_back_is = ""
    rig.slots.stop_at = "activate"
    async with rig.running(update()):
        await until(lambda: "activate" in rig.slots.calls)
    rig.slots.stop_at, rig.slots.way_back_is = "", "taken again, with the update in"
    rig.vitals.now_is = Vitals(turns=7)
    async with rig.running(update()):
        row = await rig.ended(update())
    assert (row.standing.end, row.noted.way_back) == (End.KEPT, "")
    assert row.noted.baseline == '{"turns": 0}'


async def test_a_control_plane_that_is_away_for_long_holds_it_up_for_long(rig: Rig) -> None:
    rig.cloud.refusal = FetchFailed("unreachable")
    async with rig.running(update()):

        async def tried() -> bool:
            return any(row.standing.tries > 5 for row in await rig.listing())

        await until(tried)
        rig.cloud.refusal = None
        assert (await rig.ended(update())).standing.end is End.KEPT


async def test_a_kind_that_this_release_does_not_know_is_refused(rig: Rig) -> None:
    wanted = update().model_copy(update={"kind": "software"})
    async with rig.running(wanted):
        row = await rig.ended(wanted)
    assert (row.standing.end, row.standing.reason) == (End.REFUSED, "unknown_kind")
