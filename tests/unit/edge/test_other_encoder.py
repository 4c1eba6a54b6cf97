"""What hangs on the encoder follows it; what fails is tried again, and nothing of a change is left out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge import metrics, other_encoder
from models.encoder import Encoder, ModelInfo

INFO = ModelInfo("our-encoder", "1", "onnxruntime", "CPU", "22", space="33")


class Site:
    """Says what was done, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.failing = 0
        self.encoder_changed = asyncio.Event()
        self.knowledge: Any = SimpleNamespace(behind=False, exchange=self.exchange, searcher=())
        self.intents = SimpleNamespace(follow_encoder=self.follow, use_encoder=self.said("intents"))
        self.learning = SimpleNamespace(use_encoder=self.said("learning"), load=self.later("load"))
        self.chooser = SimpleNamespace(between_batches=self.between, model=None)
        self.store = SimpleNamespace(write=self.later("forget"))
        self.encoder = SimpleNamespace(take_over=self.take_over, serves_as=lambda _: "took over" in self.done)

    def said(self, what: str) -> Callable[..., None]:
        return lambda *_: self.done.append(what)

    def later(self, what: str) -> Callable[..., Coroutine[object, object, None]]:
        async def say(*_: object) -> None:
            self.done.append(what)

        return say

    async def follow(self) -> None:
        self.done.append("follow")
        if self.failing:
            self.failing -= 1
            raise RuntimeError("no memory")

    def take_over(self, *_: object, other_space: bool) -> Callable[[], None]:
        self.done.append("took over")
        return self.said("closed")

    def between(self, change: Callable[[], None]) -> None:
        try:
            change()
        finally:
            self.done.append("turns go on")

    async def exchange(self, *given: Any) -> None:
        def take() -> None:
            raise MemoryError

        await asyncio.to_thread(given[-1], take)

    async def followed(self, times: int) -> None:
        async with asyncio.timeout(30):
            while self.done.count("follow") < times:
                await asyncio.sleep(0)


@pytest.fixture
def site() -> Site:
    return Site()


@contextlib.asynccontextmanager
async def catching_up(site: Site, again_s: float) -> AsyncIterator[None]:
    task = asyncio.create_task(other_encoder.catch_up(cast(Any, site), again_s))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        metrics.recover(other_encoder.CATCH_UP)


async def test_what_failed_is_said_and_tried_again(site: Site) -> None:
    site.failing = 2
    async with catching_up(site, again_s=0.0):
        await site.followed(1)
        assert "catch_up:failed" in metrics.fallbacks()
        await site.followed(3)
        await asyncio.sleep(0)
        assert "catch_up:failed" not in metrics.fallbacks()


async def test_each_change_is_followed_also_after_a_failure(site: Site) -> None:
    site.failing = 1
    async with catching_up(site, again_s=3600.0):
        for times in (1, 2, 3):
            await site.followed(times)
            site.encoder_changed.set()


async def test_a_change_that_fails_half_way_is_ended_all_the_same(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = SimpleNamespace(answers=SimpleNamespace(directions=None), ranking=None)
    monkeypatch.setattr(other_encoder.heads, "heads_for", lambda *_, **__: heads)
    monkeypatch.setattr(other_encoder, "Reader", lambda *_: None)
    monkeypatch.setattr(other_encoder, "_read_with", lambda *_: None)
    monkeypatch.setattr(other_encoder, "say_unfitted", site.said("unfitted"))
    new = cast(Encoder, SimpleNamespace(info=INFO, dim=4))
    with pytest.raises(MemoryError):
        await other_encoder._change(cast(Any, site), new, cast(Any, None), {})
    inside = ["took over", "intents", "learning", "turns go on"]
    assert site.done == [*inside, "unfitted", "closed", "forget", "load"]
