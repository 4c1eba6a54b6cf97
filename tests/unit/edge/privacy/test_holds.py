"""Legal holds: they win over erasure, whatever comes between, and what was asked for meanwhile is carried out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from edge.privacy.holds import HeldAlready, LegalHold
from tests.unit.edge.privacy.erasure_rig import (
    OFFICER,
    PATIENT,
    Stopped,
    audited,
    genuine,
    open_site,
    stop_after,
)


@pytest.mark.proves("legal-hold")
async def test_a_hold_wins_and_its_release_carries_out_what_was_asked(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit(PATIENT)
        before, keys = await site.counts(), await site.keys()
        hold = await site.erasure.hold(f"ticket:{number}", "case 12", OFFICER)
        assert (hold.subject, hold.reference, hold.placed_by) == (PATIENT, "case 12", OFFICER)
        for name in (PATIENT, f"session:{new.session.id}", f"ticket:{number}"):
            with pytest.raises(LegalHold):
                await site.erasure.erase(name, OFFICER)
        assert (await site.counts(), await site.keys()) == (before, keys)
        # Whoever is held speaks on: only the erasure waits.
        assert site.desk.sessions.is_open(new.session.id)
        (held,) = await site.erasure.holds()
        assert held.erasure_asked_ms is not None
        released = await site.erasure.release(PATIENT, OFFICER)
        assert released.hold == held
        assert released.receipt is not None
        receipt = genuine(site, released.receipt)
        assert receipt["asked_ms"] == held.erasure_asked_ms
        assert not any((await site.counts()).values())
        assert (await site.keys(), await site.erasure.holds()) == ([], [])


async def test_a_release_without_a_wish_to_erase_erases_nothing(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        before = await site.counts()
        await site.erasure.hold(PATIENT, "case 12", OFFICER)
        assert (await site.erasure.release(PATIENT, OFFICER)).receipt is None
        assert await site.counts() == before


@pytest.mark.proves("legal-hold")
async def test_a_hold_that_comes_at_the_last_moment_wins_too(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        before = await site.counts()
        read, placed = site.desk.store.read, False

        async def slow(run: Callable[[Database], Any]) -> Any:
            """Between the look for a hold and the shredding of the keys."""
            nonlocal placed
            found = await read(run)
            if isinstance(found, tuple) and not placed:
                placed = True
                await site.erasure.hold(PATIENT, "case 12", OFFICER)
            return found

        site.desk.store.read = slow  # type: ignore[method-assign, assignment]
        with pytest.raises(LegalHold):
            await site.erasure.erase(PATIENT, OFFICER)
        assert placed
        assert await site.counts() == before
        assert (await site.erasure.holds())[0].erasure_asked_ms is not None


async def test_a_stop_between_release_and_erasure_is_not_there(tmp_path: Path) -> None:
    for steps in range(1, 6):
        folder = tmp_path / str(steps)
        async with open_site(folder) as site:
            await site.visit(PATIENT)
            await site.erasure.hold(PATIENT, "case 12", OFFICER)
            with pytest.raises(LegalHold):
                await site.erasure.erase(PATIENT, OFFICER)
            stop_after(site.desk.store, steps)
            with pytest.raises(Stopped):
                await site.erasure.release(PATIENT, OFFICER)
        async with open_site(folder) as site:
            await site.erasure.finish()
            held, there = await site.erasure.holds(), any((await site.counts()).values())
            assert bool(held) == there


@pytest.mark.proves("legal-hold")
async def test_refused_and_placed_and_released_are_in_the_audit(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        _, number = await site.visit(PATIENT)
        await site.erasure.hold(PATIENT, "case 12", OFFICER)
        with pytest.raises(HeldAlready):
            await site.erasure.hold(PATIENT, "case 13", OFFICER)
        with pytest.raises(LegalHold) as refused:
            await site.erasure.erase(f"ticket:{number}", OFFICER)
        assert refused.value.written_down
        await site.erasure.release(PATIENT, OFFICER)
        label = site.desk.store.digests.label(PATIENT)
        assert {(who, about) for who, _, about, _ in await audited(site)} == {(OFFICER, label)}
        told = [(action, outcome) for _, action, _, outcome in await audited(site)]
        assert told == [
            ("privacy.hold", "begun"),
            ("privacy.hold", "done"),
            ("privacy.hold", "begun"),
            ("privacy.hold", "failed"),
            ("privacy.erase", "begun"),
            ("privacy.erase", "refused"),
            ("privacy.release", "begun"),
            ("privacy.erase", "begun"),
            ("privacy.erase", "done"),
            ("privacy.release", "done"),
        ]
