"""Customers of a demo that misbehaves: they come at a rate, ask over the public API, and count what they got.

They come when they come, not when an answer is ready: a desk that is slow is not asked less often for that. When their
node is gone they go on at its sibling, as the kiosk page does (docs/api.md, "When a node dies").
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import aiohttp

ANSWERED_WITHIN_S: Final = 4.0
"""Past this a customer has gone."""

QUESTIONS: Final = 2
"""Of one customer, one after the other: the second shows that a conversation goes on."""


@dataclass
class Tally:
    """What customers got in a while."""

    asked: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    """By route of the contract; a hand-over is one, and so is a card."""
    refused: int = 0
    """Told to come back, at once."""
    lost: int = 0
    """Nobody answered within ANSWERED_WITHIN_S."""
    moved: int = 0
    """Conversations that went on at the sibling."""
    first_text_s: list[float] = field(default_factory=list)

    @property
    def p95_s(self) -> float:
        """95th percentile of the wait for the first words, seconds; 0 where nobody was answered."""
        ordered = sorted(self.first_text_s)
        return ordered[int(0.95 * (len(ordered) - 1))] if ordered else 0.0


class Customers:
    """Come at `rate` a second, which may be changed while they come. Use from one event loop."""

    def __init__(self, nodes: Sequence[str], questions: Sequence[str]) -> None:
        """`nodes`: addresses, the customers' own first. `questions`: what they ask, in no order."""
        self.rate = 0.0
        self.tally = Tally()
        self._nodes = nodes
        self._questions = questions
        self._chance = random.Random()  # noqa: S311 - whom it brings is no secret

    async def come(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as web, asyncio.TaskGroup() as group:
            while True:
                rate = self.rate
                if rate <= 0:
                    await asyncio.sleep(0.1)
                    continue
                group.create_task(self._talk(web))
                # Arrivals of people who do not know of each other.
                await asyncio.sleep(min(self._chance.expovariate(rate / QUESTIONS), 2.0))

    async def _talk(self, web: aiohttp.ClientSession) -> None:
        """One conversation."""
        talk: _Talk | None = None
        for question in self._chance.sample(self._questions, QUESTIONS):
            tally = self.tally
            tally.asked += 1
            began = monotonic()
            try:
                async with asyncio.timeout(ANSWERED_WITHIN_S):
                    talk, answer = await self._ask(web, talk, question, began)
            except (aiohttp.ClientError, TimeoutError, OSError, _Cut):
                tally.lost += 1
                return
            if answer is None:
                tally.refused += 1
                return
            tally.answered[str(answer["route"])] += 1

    async def _ask(
        self, web: aiohttp.ClientSession, talk: _Talk | None, question: str, began: float
    ) -> tuple[_Talk | None, dict[str, Any] | None]:
        """The answer, from whichever node gives one; None for a refusal that says when to come back."""
        while True:
            for node in self._nodes:
                with suppress(aiohttp.ClientError, OSError, _Cut):
                    if talk is None or talk.node != node:
                        talk = await self._begin(web, node, talk)
                    if talk is None:
                        return None, None
                    return talk, await self._answer(web, talk, question, began)
            await asyncio.sleep(0.1)  # nobody is there; within the customer's patience somebody may be

    async def _begin(self, web: aiohttp.ClientSession, node: str, before: _Talk | None) -> _Talk | None:
        """A conversation at `node`, with what one that was cut off left. None where there is no place."""
        body = {"channel": "kiosk"}
        if before is not None and before.continuation:
            body["continuation"] = before.continuation
        async with web.post(f"{node}/api/v1/sessions", json=body) as response:
            if response.status in {429, 503}:
                return None
            if response.status != 201:
                raise _Cut
            made = await response.json()
        talk = _Talk(node, made["session_id"], made["token"])
        consent = {"notice_version": made["notice"]["version"], "overflow": True}
        async with web.post(talk.url("consent"), json=consent, headers=talk.headers) as response:
            if response.status != 204:
                raise _Cut
        if "continuation" in body:
            self.tally.moved += 1
        return talk

    async def _answer(
        self, web: aiohttp.ClientSession, talk: _Talk, question: str, began: float
    ) -> dict[str, Any] | None:
        headers = {**talk.headers, "Accept": "text/event-stream"}
        async with web.post(talk.url("turns"), json={"text": question}, headers=headers) as response:
            if response.status in {429, 503}:
                return None
            if response.status != 200:
                raise _Cut
            first = True
            async for event, data in _events(response):
                if event in {"delta", "final"} and first:
                    first = False
                    self.tally.first_text_s.append(monotonic() - began)
                if event == "final":
                    talk.continuation = str(data.get("continuation") or "")
                    return data
                if event == "error" and data.get("status") in {429, 503}:
                    return None
                if event == "error":
                    raise _Cut
        raise _Cut


class _Cut(Exception):
    """A conversation that ended in no proper way."""


@dataclass
class _Talk:
    """A conversation at a node."""

    node: str
    session: str
    token: str
    continuation: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def url(self, what: str) -> str:
        return f"{self.node}/api/v1/sessions/{self.session}/{what}"


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Server-sent events of JSON (HTML Living Standard, 9.2): each one's name and data."""
    name = ""
    async for line in response.content:
        field_name, _, value = line.decode().rstrip("\r\n").partition(": ")
        if field_name == "event":
            name = value
        elif field_name == "data":
            yield name, json.loads(value)
