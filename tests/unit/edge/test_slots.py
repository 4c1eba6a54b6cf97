"""Which software is to run: the pointer's changes as a table, and the file that holds it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.supervision import Supervisor
from edge import processes
from edge.slots import (
    READY_S_MAX,
    SLOT,
    STARTS_MAX,
    Pointer,
    Slots,
    given_up,
    kept,
    numbers,
    returned,
    settled,
    slot_environment,
    started,
    swapped,
)

INSTALLED = Pointer()
TRIAL = Pointer("2.0", "1.0", trial=True)
STARTING = started(TRIAL)
KEPT = Pointer("2.0")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (swapped(INSTALLED, "2.0"), Pointer("2.0", "", trial=True)),
        (swapped(KEPT, "3.0"), Pointer("3.0", "2.0", trial=True)),
        (swapped(TRIAL, "2.0"), TRIAL),  # again after a crash: the way back stays
        (kept(TRIAL, "2.0"), KEPT),
        (kept(TRIAL, "3.0"), TRIAL),
        (returned(TRIAL, "2.0"), Pointer("1.0")),
        (returned(TRIAL, "3.0"), TRIAL),
        (returned(Pointer("1.0"), "2.0"), Pointer("1.0")),  # again after a crash
        (returned(KEPT, "2.0"), KEPT),
        (started(INSTALLED), INSTALLED),
        (started(KEPT), KEPT),
        (started(TRIAL), Pointer("2.0", "1.0", trial=True, starts=1)),
        (
            started(Pointer("2.0", "1.0", trial=True, starts=STARTS_MAX - 1)),
            Pointer("2.0", "1.0", trial=True, starts=STARTS_MAX),
        ),
        (started(Pointer("2.0", "1.0", trial=True, starts=STARTS_MAX)), Pointer("1.0")),
        (settled(Pointer("2.0", "1.0", trial=True, starts=2)), TRIAL),
        (settled(INSTALLED), INSTALLED),
        (given_up(STARTING, READY_S_MAX), STARTING),
        (given_up(STARTING, READY_S_MAX + 1), Pointer("1.0")),
        (given_up(TRIAL, READY_S_MAX + 1), TRIAL),  # it serves
        (given_up(KEPT, READY_S_MAX + 1), KEPT),
    ],
)
def test_what_the_pointer_becomes(change: Pointer, expected: Pointer) -> None:
    assert change == expected


@pytest.mark.parametrize("content", [b"", b"{", b'{"active": "1", "other": 2}', b"[]"])
def test_a_damaged_pointer_means_what_is_installed(tmp_path: Path, content: bytes) -> None:
    slots = Slots(tmp_path)
    assert slots.pointer() == INSTALLED
    slots.point(TRIAL)
    assert slots.pointer() == TRIAL
    (tmp_path / "pointer.json").write_bytes(content)
    assert slots.pointer() == INSTALLED


def test_a_process_runs_from_the_slot_if_it_is_there(tmp_path: Path) -> None:
    slots = Slots(tmp_path)
    assert slots.environment(TRIAL) == {SLOT: ""}
    slots.place("2.0").mkdir()
    assert slots.versions() == ["2.0"]
    found = slots.environment(TRIAL)
    assert (found[SLOT], found["PYTHONSAFEPATH"]) == ("2.0", "1")
    assert found["PYTHONPATH"].startswith(str(tmp_path / "2.0"))
    assert slot_environment(tmp_path / "2.0", {"PYTHONPATH": "/a"})["PYTHONPATH"].endswith(":/a")
    assert slot_environment(tmp_path / "2.0", {})["PYTHONPATH"] == str(tmp_path / "2.0")


@pytest.mark.parametrize(
    ("version", "expected"), [("1.2.3", (1, 2, 3)), ("1.10-rc1", (1, 10)), ("2+local", (2,)), ("x", ())]
)
def test_numbers_of_a_version(version: str, expected: tuple[int, ...]) -> None:
    assert numbers(version) == expected


async def test_one_that_hangs_while_it_starts_makes_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "SLOTS_LOOK_S", 0.001)
    slots, stop = Slots(tmp_path), asyncio.Event()
    slots.point(STARTING)
    supervisor = Supervisor([], stop)
    monkeypatch.setattr(supervisor, "restart", stop.set)
    waited_s = iter((0.0, READY_S_MAX, READY_S_MAX + 1))
    following = asyncio.create_task(processes._follow(slots, supervisor, lambda: next(waited_s)))
    async with asyncio.timeout(30):
        await stop.wait()
    assert slots.pointer() == Pointer("1.0")
    assert next(waited_s, None) is None
    following.cancel()
