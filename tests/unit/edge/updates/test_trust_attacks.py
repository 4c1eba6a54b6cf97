"""Whoever holds some of the keys, the control plane or the line makes a node install nothing that was not meant for it.

Each attack begins where an honest update was seen, is refused with the error that is named, and leaves the node able to
take the next honest one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import PosternError
from edge.egress.fetch.client import FetchFailed
from edge.updates import trust as trusts
from edge.updates.trust import Trust, TrustMissing, keep_root
from edge.updates.tuf_client import InvalidRoot, TrustRefused
from tests.tuf_repository import Served, TufRepository
from tests.unit.edge.updates.attacks import ATTACKS, NEW_ROOTS
from tests.unit.edge.updates.world import EVIL, NEW, NEXT, NODE, OLD, World


@pytest.fixture
async def world(tmp_path: Path, days_later: Callable[[float], None]) -> World:
    vendor, director = TufRepository(), TufRepository()
    served = Served({"vendor": vendor, "director": director})
    keep_root(tmp_path, "vendor", vendor.newest["root"])
    keep_root(tmp_path, "director", director.newest["root"])
    made = World(served, Trust(tmp_path, served), {}, days_later)
    made.release(OLD)
    made.release(NEW)
    made.assign(NEW)
    await made.install(NEW)
    return made


def test_there_are_as_many_attacks_as_were_asked_for() -> None:
    assert len({attack for attack, _ in ATTACKS}) == len(ATTACKS) >= 30


@pytest.mark.parametrize(("attack", "error"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS])
async def test_an_attack_installs_nothing_and_harms_nothing(
    world: World, attack: Callable[[World], str], error: type[PosternError]
) -> None:
    honest = {name: repository.copy() for name, repository in world.served.repositories.items()}
    blobs = dict(world.blobs)
    target = attack(world)
    with pytest.raises(error) as caught:
        await world.install(target)
    assert type(caught.value) is error
    # The organisation takes its keys back and goes on, above whatever the node has seen.
    world.turn(0)
    world.blobs = blobs
    for name, repository in honest.items():
        if world.served.repositories[name].root.version > repository.root.version and attack in NEW_ROOTS:
            repository = world.served.repositories[name]
            repository.rotate("targets")
            repository.root.roles["targets"].threshold = 1
            repository.publish("root")
            repository.targets.targets.pop(EVIL, None)
        for payload in repository.payloads.values():
            payload.version += 10 if payload is not repository.root else 0
        world.served.repositories[name] = repository
    world.release(NEXT)
    world.assign(NEXT)
    assert (await world.install(NEXT)).target == NEXT


async def test_a_line_that_is_cut_is_no_refusal(world: World) -> None:
    world.served.failing["timestamp.json"] = FetchFailed("unreachable")
    with pytest.raises(FetchFailed, match="unreachable"):
        await world.install(NEW)
    world.served.failing.clear()
    assert await world.install(NEW)


async def test_data_that_comes_drop_by_drop_holds_nothing_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def slow(repository: str, name: str) -> bytes:
        asked.set()
        await released.wait()
        return b""

    monkeypatch.setattr(world.served, "metadata", slow)
    monkeypatch.setattr(trusts, "LOOK_S_MAX", 0.2)
    with pytest.raises(FetchFailed, match="late"):
        await world.install(NEW)
    assert asked.is_set()


async def test_without_roots_nothing_is_trusted(tmp_path: Path, world: World) -> None:
    with pytest.raises(TrustMissing):
        await Trust(tmp_path / "elsewhere", world.served).look_up(NEW, NODE)


async def test_a_root_is_kept_only_if_it_is_one_and_forgets_what_another_saw(
    tmp_path: Path, world: World
) -> None:
    for content in (b"", world.vendor.newest["targets"], world.vendor.newest["root"][:-3]):
        with pytest.raises(InvalidRoot):
            keep_root(tmp_path, "vendor", content)
    keep_root(tmp_path, "vendor", world.vendor.newest["root"])
    assert (tmp_path / "vendor" / "timestamp.json").exists()
    keep_root(tmp_path, "vendor", TufRepository().newest["root"])
    assert not (tmp_path / "vendor").exists()
    with pytest.raises(TrustRefused):
        await world.install(NEW)
