"""Places and the line before them: bounded, in turn by node, and nothing lost when a caller goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from cloud_sync.overflow.line import RETRY_AFTER_S, Line, LineFull

LONG_S = 30.0


@asynccontextmanager
async def holding(line: Line, *nodes: str) -> AsyncIterator[None]:
    """A place for each, until the end of the block."""
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(line.place(node, LONG_S))
        yield


class Caller:
    """Waits for a place and keeps it until told."""

    def __init__(self, line: Line, node: str, served: list[str]) -> None:
        self.node = node
        self.done = asyncio.Event()
        self._line, self._served = line, served
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._line.place(self.node, LONG_S):
            self._served.append(self.node)
            await self.done.wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_places_are_given_up_to_their_number() -> None:
    line = Line(places=3, per_node_max=2, waiting_max=0)
    async with holding(line, "a", "b"):
        async with holding(line, "c"):
            assert line.running == 3
            with pytest.raises(LineFull):
                await line.place("d", LONG_S).__aenter__()
        async with holding(line, "d"):
            assert line.running == 3
    assert (line.running, line.waiting) == (0, 0)


async def test_a_node_has_no_more_than_its_own() -> None:
    line = Line(places=4, per_node_max=2, waiting_max=0)
    async with holding(line, "a", "a"):
        with pytest.raises(LineFull):
            await line.place("a", LONG_S).__aenter__()
        async with holding(line, "b", "b"):
            assert line.running == 4


async def test_the_line_is_bounded_for_all_and_leaves_room_for_another_node() -> None:
    line, served = Line(places=2, per_node_max=1, waiting_max=4), list[str]()
    async with holding(line, "x", "y"):
        callers = [Caller(line, "a", served) for _ in range(2)]
        await settle()
        with pytest.raises(LineFull):
            await line.place("a", LONG_S).__aenter__()
        callers += [Caller(line, node, served) for node in ("b", "c")]
        await settle()
        assert line.waiting == 4
        with pytest.raises(LineFull) as caught:
            await line.place("d", LONG_S).__aenter__()
        least, most = RETRY_AFTER_S
        assert caught.value.retry_after_s is not None
        assert least <= caught.value.retry_after_s <= most
    for caller in callers:
        caller.done.set()
    await asyncio.gather(*(caller.task for caller in callers))
    assert (line.running, line.waiting) == (0, 0)


async def test_places_go_round_the_nodes_that_wait() -> None:
    line, served = Line(places=2, per_node_max=1, waiting_max=20), list[str]()
    async with holding(line, "x"):
        first = Caller(line, "a", served)
        await settle()
        callers = [Caller(line, node, served) for node in ("a", "a", "a", "b", "c", "b")]
        await settle()
        order = [first, *callers]
        for _ in range(len(order)):
            running = next(one for one in order if one.node == served[-1] and not one.done.is_set())
            running.done.set()
            await settle()
        assert served == ["a", "a", "b", "c", "a", "b", "a"]
    await asyncio.gather(*(caller.task for caller in order))


async def test_who_waits_too_long_is_told_and_leaves_no_trace() -> None:
    line = Line(places=2, per_node_max=1, waiting_max=2)
    async with holding(line, "a"):
        with pytest.raises(LineFull):
            await line.place("a", 0.01).__aenter__()
        assert line.waiting == 0
    async with holding(line, "a"):
        assert line.running == 1


async def test_who_is_cancelled_in_line_or_with_a_place_gives_it_back() -> None:
    line, served = Line(places=2, per_node_max=1, waiting_max=4), list[str]()
    first = Caller(line, "a", served)
    await settle()
    second, third = Caller(line, "a", served), Caller(line, "a", served)
    await settle()
    second.task.cancel()
    await settle()
    assert line.waiting == 1
    first.task.cancel()
    await settle()
    assert served == ["a", "a"]
    third.done.set()
    await third.task
    assert (line.running, line.waiting) == (0, 0)
    assert not line._waiting
    assert len(line._shares) == 0


async def test_a_place_that_comes_in_the_moment_of_cancelling_is_given_on() -> None:
    line, served = Line(places=2, per_node_max=1, waiting_max=4), list[str]()
    first = Caller(line, "a", served)
    await settle()
    second, third = Caller(line, "a", served), Caller(line, "a", served)
    await settle()
    first.done.set()
    await asyncio.sleep(0)  # its place went to the second, which has not run since
    second.task.cancel()
    await settle()
    third.done.set()
    await asyncio.wait_for(third.task, LONG_S)
    assert (line.running, line.waiting) == (0, 0)
