"""Postern's own software as an update: tried on a copy of a real store, run by the real supervisor, and back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.version import VERSION
from edge.config import site_paths
from edge.slots import Pointer, Slots, swapped
from edge.store.store import Store
from edge.updates.chunks import ChunkStore, StoredContent
from edge.updates.installer import InstallRefused
from edge.updates.software_installer import RESTART_S, SoftwareInstaller
from edge.updates.wanted import Update
from tests.integration.rollout_rig import fill
from tests.running import RunningNode, running
from tests.unit.edge.updates.packages import manifest_of, pieces_of

NEXT = "99.0"
WAIT_S = 60.0


def software(version: str) -> Update:
    return Update(
        kind="software", name="postern", version=version, target=f"software/postern/{version}", rollout="r"
    )


@pytest.fixture
async def store(tmp_path: Path) -> Store:
    return Store.open(site_paths(tmp_path / "site"))


@pytest.fixture
def slots(tmp_path: Path) -> Slots:
    return Slots(site_paths(tmp_path / "site").slots)


def installer(
    slots: Slots, store: Store, tmp_path: Path, slot: str | None = "", **clock: Callable[[], float]
) -> SoftwareInstaller:
    paths = site_paths(tmp_path / "site")
    return SoftwareInstaller(slots, paths.root, paths.store, store.keys.store, slot=lambda: slot, **clock)


def content(files: dict[str, bytes], blobs: Path) -> StoredContent:
    manifest, chunks = manifest_of(files, "software", "postern", NEXT), ChunkStore(blobs, spare_bytes=0)
    chunks.check_room(manifest)
    for digest, piece in pieces_of(files).items():
        chunks.put(digest, piece)
    return StoredContent(manifest, chunks)


PROGRAMS = {
    "edge/processes.py": b"1",
    "edge/slot_check.py": b"2",
    "core/version.py": b"3",
    "core/__init__.py": b"",
}


async def test_it_is_unpacked_beside_and_pointed_to_and_back(
    slots: Slots, store: Store, tmp_path: Path
) -> None:
    one = installer(slots, store, tmp_path)
    staged = await one.stage(software(NEXT), content(PROGRAMS, tmp_path / "b"))
    assert (slots.place(NEXT) / "edge" / "processes.py").read_bytes() == b"1"
    way_back = await one.way_back(software(NEXT), staged)
    for _ in range(2):  # a crash may cut each step off
        await one.activate(software(NEXT), staged, way_back)
        assert slots.pointer() == Pointer(NEXT, "", trial=True)
    assert await one.health(software(NEXT), staged) == ""  # the supervisor is about to start it
    new = installer(slots, store, tmp_path, NEXT)
    assert await new.health(software(NEXT), staged) == ""
    assert list(new.present(software(NEXT)))
    for _ in range(2):
        await new.roll_back(software(NEXT), staged, way_back)
        assert slots.pointer() == Pointer()
    assert await new.health(software(NEXT), staged) == "not_starting"
    assert slots.versions() == [NEXT]  # this process runs from it
    await one.discard(software(NEXT), staged)
    assert slots.versions() == []
    await store.close()


async def test_what_is_kept_stays_alone(slots: Slots, store: Store, tmp_path: Path) -> None:
    one = installer(slots, store, tmp_path, "1.0")
    slots.place("1.0").mkdir(parents=True)
    slots.point(Pointer("1.0"))
    staged = await one.stage(software(NEXT), content(PROGRAMS, tmp_path / "b"))
    await one.activate(software(NEXT), staged, await one.way_back(software(NEXT), staged))
    await installer(slots, store, tmp_path, NEXT).keep(software(NEXT), staged, "slot:1.0")
    assert (slots.pointer(), slots.versions()) == (Pointer(NEXT), [NEXT])
    await store.close()


async def test_a_supervisor_that_does_not_start_it_is_found_out(
    slots: Slots, store: Store, tmp_path: Path
) -> None:
    now_s = 0.0
    one = installer(slots, store, tmp_path, clock=lambda: now_s)
    await one.activate(software(NEXT), NEXT, "slot:")
    now_s = RESTART_S
    assert await one.health(software(NEXT), NEXT) == ""
    now_s = RESTART_S + 1
    assert await one.health(software(NEXT), NEXT) == "not_started"
    await store.close()


@pytest.mark.parametrize(
    ("version", "slot", "reason"), [(NEXT, None, "not_supervised"), ("0.0.1", "", "older")]
)
async def test_what_cannot_run_here_is_refused(
    slots: Slots, store: Store, tmp_path: Path, version: str, slot: str | None, reason: str
) -> None:
    with pytest.raises(InstallRefused) as refused:
        await installer(slots, store, tmp_path, slot).gate(software(version), version)
    assert refused.value.reason == reason
    other = content({"readme.txt": b"hello"}, tmp_path / "b")
    with pytest.raises(InstallRefused) as refused:
        await installer(slots, store, tmp_path).stage(software(NEXT), other)
    assert refused.value.reason == "not_our_software"
    await store.close()


@pytest.mark.models
@pytest.mark.parametrize(
    "fault", ["", *(pytest.param(one, marks=pytest.mark.long) for one in ("other_version", "check_failed"))]
)
async def test_it_is_tried_on_a_copy_of_the_store(clinic: Path, tmp_path: Path, fault: str) -> None:
    paths = site_paths(clinic)
    slots, store = Slots(paths.slots), Store.open(paths)
    fill(slots.place(NEXT), VERSION if fault == "other_version" else NEXT)
    if fault == "check_failed":
        (slots.place(NEXT) / "edge" / "app.py").write_text("import a_library_that_is_not_here\n")
    before = paths.store.read_bytes()
    one = SoftwareInstaller(slots, paths.root, paths.store, store.keys.store, slot=lambda: "")
    if fault:
        with pytest.raises(InstallRefused) as refused:
            await one.gate(software(NEXT), NEXT)
        assert refused.value.reason == fault
    else:
        await one.gate(software(NEXT), NEXT)
    assert paths.store.read_bytes() == before
    assert sorted(path.name for path in paths.slots.iterdir()) == [NEXT]
    await store.close()


def until(happened: Callable[[], bool]) -> float:
    """Seconds until it did."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < WAIT_S
        time.sleep(0.05)
    return time.monotonic() - began


def slot_of(node: RunningNode) -> str | None:
    """Which slot the node's process runs from; None while there is none."""
    import psutil

    try:
        return psutil.Process(node.pid_of("node")).environ().get("POSTERN_SLOT")
    except (LookupError, psutil.Error):
        return None


@pytest.fixture
def supervised(clinic: Path) -> Iterator[RunningNode]:
    with running(clinic) as started:
        yield started


@pytest.mark.long
@pytest.mark.models
def test_the_supervisor_runs_a_slot_and_goes_back_from_one_that_does_not_come_up(
    supervised: RunningNode,
) -> None:
    slots = Slots(site_paths(supervised.site).slots)
    fill(slots.place(NEXT), NEXT)
    slots.point(swapped(slots.pointer(), NEXT))
    until(lambda: slots.pointer().starts == 1 or slot_of(supervised) == NEXT)
    until(lambda: slots.pointer() == Pointer(NEXT, "", trial=True) and slot_of(supervised) == NEXT)
    slots.point(Pointer(NEXT))
    broken = slots.place("99.1")
    (broken / "edge").mkdir(parents=True)
    (broken / "edge" / "__init__.py").write_text("raise SystemExit(3)\n")
    slots.point(swapped(slots.pointer(), "99.1"))
    until(lambda: slot_of(supervised) == "99.1" or slots.pointer().starts > 0)
    until(lambda: slots.pointer() == Pointer(NEXT))
    until(lambda: slot_of(supervised) == NEXT)
