"""Each limit over HTTP, at and above: the status, the problem, and a Retry-After after which the next is let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.running import Customer, RunningNode, copy_site, running

SATURDAY = "When are you open on Saturday?"
UNKNOWN = "Which acupuncture needles does the astronaut prefer?"
# Rates of 60 a minute give one more each second, so that a test can wait for what Retry-After says.
LIMITS = """
[limits]
turns_per_minute = 60
acts_per_minute = 60
address_sessions_per_minute = 60
sessions_max = 75
streams_max = 2

[handoff]
tickets_per_session_max = 1
"""
BURST = 60


@pytest.fixture(scope="module")
def limited(prepared_clinic: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    site = copy_site(prepared_clinic, tmp_path_factory.mktemp("limited"))
    (site / "site.toml").write_text((site / "site.toml").read_text() + LIMITS)
    with running(site) as node:
        yield node


@pytest_asyncio.fixture
async def http(limited: RunningNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(limited.url) as client:
        yield client


async def refused(
    send: Callable[[], Awaitable[aiohttp.ClientResponse]], times: int
) -> tuple[int, dict[str, Any], int]:
    """Send until it is refused, at most so often: how many went through, the problem, Retry-After."""
    for number in range(times):
        response = await send()
        if response.status in {429, 503}:
            assert response.content_type == "application/problem+json"
            problem = await response.json()
            after_s = int(response.headers["Retry-After"])
            assert problem["retry_after_s"] == after_s >= 1
            assert problem["remedy"]
            return number, problem, after_s
        assert response.status < 300, await response.text()
    raise AssertionError(f"{times} went through")


async def let_in(send: Callable[[], Awaitable[aiohttp.ClientResponse]], after_s: int) -> None:
    """What Retry-After says is true: waiting for so long is enough. The wait is what is under test."""
    await asyncio.sleep(after_s)
    assert (await send()).status < 300


@pytest.mark.long
async def test_questions_of_a_conversation(limited: RunningNode, http: aiohttp.ClientSession) -> None:
    async with Customer.at(limited.url) as customer:

        async def ask() -> aiohttp.ClientResponse:
            return await http.post(customer.turns, json={"text": SATURDAY}, headers=customer.headers)

        through, problem, after_s = await refused(ask, 400)
        assert problem["code"] == "rate_limited"
        assert through >= BURST
        await let_in(ask, after_s)


@pytest.mark.long
async def test_feedback_of_a_conversation(limited: RunningNode, http: aiohttp.ClientSession) -> None:
    async with Customer.at(limited.url) as customer:
        turn = (await customer.ask(SATURDAY))["turn_id"]
        url = f"{customer.turns}/{turn}/feedback"

        async def judge() -> aiohttp.ClientResponse:
            return await http.post(url, json={"useful": True}, headers=customer.headers)

        through, problem, after_s = await refused(judge, 400)
        assert problem["code"] == "rate_limited"
        assert through >= BURST - 1  # that the notice was accepted counts, too
        await let_in(judge, after_s)


async def test_a_second_open_ticket(limited: RunningNode) -> None:
    async with Customer.at(limited.url) as customer:
        first, second = [(await customer.ask(UNKNOWN))["turn_id"] for _ in range(2)]
        assert (await customer.send("POST", f"{customer.turns}/{first}/handoff"))[0] == 201
        status, problem = await customer.send("POST", f"{customer.turns}/{second}/handoff")
        assert (status, problem["code"]) == (409, "too_many_tickets")
        assert (await customer.send("DELETE", f"{customer.turns}/{first}/handoff"))[0] == 204
        assert (await customer.send("POST", f"{customer.turns}/{second}/handoff"))[0] == 201


@pytest.mark.long
async def test_open_streams(limited: RunningNode, http: aiohttp.ClientSession) -> None:
    async with (
        Customer.at(limited.url) as one,
        Customer.at(limited.url) as two,
        Customer.at(limited.url) as three,
    ):

        def follow(customer: Customer) -> Any:
            return http.get(f"/api/v1/sessions/{customer.session_id}/events", headers=customer.headers)

        async with follow(one) as first, follow(two) as second:
            assert (first.status, second.status) == (200, 200)
            async with follow(three) as third:
                problem = await third.json()
                assert (third.status, problem["code"]) == (503, "too_many_streams")
                assert 1 <= int(third.headers["Retry-After"]) <= 300
        async with asyncio.timeout(30):
            while True:  # the node notices that the first two have left
                async with follow(three) as third:
                    if third.status == 200:
                        break


@pytest.mark.long
async def test_beginning_too_many_at_once_then_too_many_in_all(http: aiohttp.ClientSession) -> None:
    """Last in this file: it fills the node."""

    async def begin() -> aiohttp.ClientResponse:
        return await http.post("/api/v1/sessions", json={"channel": "kiosk"})

    _, problem, after_s = await refused(begin, 200)
    assert problem["code"] == "rate_limited"
    await let_in(begin, after_s)
    async with asyncio.timeout(60):
        while True:
            response = await begin()
            if response.status == 503:
                break
            await asyncio.sleep(int(response.headers.get("Retry-After", "0")))
    assert (await response.json())["code"] == "too_many_sessions"
    # A silent kiosk's place is free again within a minute and the sweeper's interval.
    assert 1 <= int(response.headers["Retry-After"]) <= 70


async def test_a_stop_does_not_wait_for_open_streams(own_node: RunningNode) -> None:
    async with Customer.at(own_node.url) as customer:
        events = customer.follow()
        answer = await customer.ask(UNKNOWN)
        await customer.send("POST", f"{customer.turns}/{answer['turn_id']}/handoff")
        assert (await anext(events))[0] == "state"
        await asyncio.to_thread(own_node.stop)
        with pytest.raises((StopAsyncIteration, aiohttp.ClientError)):
            await anext(events)
    assert own_node.process.returncode == 0
