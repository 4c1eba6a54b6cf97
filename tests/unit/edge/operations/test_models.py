"""`models.use` of an encoder: what follows a take-over follows it, whatever fails on the way."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge.operations.models import ModelsOperations
from models.catalog import DEFAULT_ENCODER
from models.encoder import Encoder, ModelInfo

OLD = ModelInfo(DEFAULT_ENCODER, "1", "onnxruntime", "CPU", "00", space="11")
NEW = replace(OLD, version="2", sha256="22", space="33")


class Serving:
    """An encoder as far as this goes."""

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self.closed = False

    def serves_as(self, other: Serving) -> bool:
        return self.info is other.info

    def close(self) -> None:
        self.closed = True


class Rig:
    """`change` is what the node does; `done` what followed."""

    def __init__(self, change: Callable[[Rig], None]) -> None:
        self.serving, self.new, self.done = Serving(OLD), Serving(NEW), []  # type: ignore[var-annotated]

        async def run(*_: object) -> None:
            change(self)

        async def write(work: Callable[[object], None]) -> None:
            work(None)

        def opening(_: str) -> Future[Encoder]:
            found: Future[Encoder] = Future()
            found.set_result(cast(Encoder, self.new))
            return found

        embeddings: Any = SimpleNamespace(forget=lambda: self.done.append("forgot"))
        parts: Any = (self.serving, embeddings, None, SimpleNamespace(write=write), opening, run)
        self.operations = ModelsOperations(
            *parts,
            lambda: self.done.append("follows"),
            lambda _, info: self.done.append(f"recorded {info.version}"),
        )

    async def use(self) -> Any:
        return await self.operations.use({"name": DEFAULT_ENCODER}, lambda _: None)


def take_over(rig: Rig) -> None:
    rig.serving.info = NEW


def fail(_: Rig) -> None:
    raise MemoryError


def take_over_and_fail(rig: Rig) -> None:
    take_over(rig)
    raise MemoryError


async def test_a_change_is_recorded_and_followed() -> None:
    rig = Rig(take_over)
    assert (await rig.use())["model"] == DEFAULT_ENCODER
    assert rig.done == ["forgot", "follows", "recorded 2"]
    assert not rig.new.closed


async def test_what_fails_after_the_change_leaves_nothing_out() -> None:
    rig = Rig(take_over_and_fail)
    with pytest.raises(MemoryError):
        await rig.use()
    assert rig.done == ["forgot", "follows", "recorded 2"]
    assert not rig.new.closed


async def test_what_fails_before_it_changes_nothing() -> None:
    rig = Rig(fail)
    with pytest.raises(MemoryError):
        await rig.use()
    assert rig.done == []
    assert rig.new.closed
