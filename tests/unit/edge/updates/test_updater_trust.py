"""What the updater does with what both repositories say: it waits, says so, and goes on by what was signed last."""

from __future__ import annotations

import pytest

from edge.egress.fetch.client import FetchFailed
from edge.updates import steps
from edge.updates.steps import End, Step
from edge.updates.wanted import Update
from tests.contract.courier_process import until
from tests.unit.edge.updates.updater_rig import Rig, refused, update


@pytest.mark.parametrize("step", [Step.FETCH, Step.ACTIVATE])
async def test_what_the_trust_refuses_is_said_once_and_installed_once_it_is_signed_anew(
    rig: Rig, step: Step
) -> None:
    """Before the fetch, and again after it: what was withdrawn since is not installed."""
    if step is Step.ACTIVATE:
        rig.slots.stop_at = "gate"
        async with rig.running(update()):
            await until(lambda: "gate" in rig.slots.calls)
        rig.slots.stop_at = ""
    rig.cloud.refusal = refused("trust_refused", passing=True)
    async with rig.running(update()):

        async def tried() -> bool:
            return any(row.standing.step is step and row.standing.tries > 2 for row in await rig.listing())

        await until(tried)
        assert "activate" not in rig.slots.calls
        assert [one for one in await rig.told() if one[1] == "failed"] == [(step, "failed", "trust_refused")]
        rig.cloud.refusal = None
        assert (await rig.ended(update())).standing.end is End.KEPT
    told = await rig.told()
    assert told[told.index((step, "failed", "trust_refused")) + 1] == (step, "done", "")


async def test_nothing_wakes_what_the_trust_refuses_before_its_time(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control plane may change its mind all day: that is no other signature."""
    monkeypatch.setattr(steps, "RETRY_MS_MIN", steps.RETRY_MS_MAX)
    rig.cloud.refusal = refused("trust_refused", passing=True)
    other = update("1.5", name="org-other")

    async def tries(wanted: Update) -> int:
        return next((row.standing.tries for row in await rig.listing() if row.update == wanted), 0)

    async def tried(wanted: Update) -> bool:
        return await tries(wanted) == 1

    async with rig.running(update()) as updater:
        await until(lambda: tried(update()))
        updater.want([update(), other])
        await until(lambda: tried(other))
        assert await tries(update()) == 1


@pytest.mark.parametrize("refusal", [refused("trust_expired", passing=True), FetchFailed("unreachable")])
async def test_without_a_word_of_the_trust_it_waits_and_is_not_installed(
    rig: Rig, refusal: Exception
) -> None:
    rig.slots.stop_at = "gate"
    async with rig.running(update()):
        await until(lambda: "gate" in rig.slots.calls)
    rig.slots.stop_at, rig.cloud.refusal = "", refusal
    async with rig.running(update()):

        async def tried() -> bool:
            (row,) = await rig.listing()
            return row.standing.step is Step.ACTIVATE and row.standing.tries > 1

        await until(tried)
        assert "activate" not in rig.slots.calls
        rig.cloud.refusal = None
        assert (await rig.ended(update())).standing.end is End.KEPT


async def test_what_was_signed_anew_is_not_what_was_tried(rig: Rig) -> None:
    rig.slots.stop_at = "gate"
    async with rig.running(update()):
        await until(lambda: "gate" in rig.slots.calls)
    rig.slots.stop_at, rig.cloud.files = "", {"weights.bin": b"other"}
    async with rig.running(update()):
        row = await rig.ended(update())
    assert (row.standing.end, row.standing.reason, rig.slots.serving()) == (
        End.REFUSED,
        "signed_anew",
        "1.0",
    )
