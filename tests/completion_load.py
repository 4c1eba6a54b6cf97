"""Callers of OpenAI-compatible servers who do what the control plane does: ask elsewhere before the first word, begin
again after a cut. Independent of the code under test: plain HTTP, read by hand.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

import aiohttp

TURN_S_MAX = 20.0
"""A customer's `answer.generate_deadline_s`, doubled for a shared machine."""

FIRST_S_MAX = 5.0
"""Until the first word, before the next server is asked."""


class Cut(Exception):
    """The text ended without its last event."""


@dataclass
class Turns:
    """What became of them; `texts` are the whole answers that were seen, each with how often."""

    texts: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    asked_again: Counter[str] = field(default_factory=Counter)
    begun_again: int = 0
    first_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)

    @property
    def whole(self) -> int:
        """Turns that ended whole."""
        return self.texts.total()


class Callers:
    """Each asks, reads to the end, and asks again."""

    def __init__(self, servers: Sequence[str], key: str, model: str) -> None:
        self.turns = Turns()
        self._servers = servers
        self._headers = {"Authorization": f"Bearer {key}"}
        self._body = {
            "model": model,
            "messages": [{"role": "user", "content": "When do you open?"}],
            "max_tokens": 64,
            "stream": True,
        }

    @asynccontextmanager
    async def asking(self, callers: int) -> AsyncIterator[None]:
        """So many of them ask while the block runs, and finish their turn at its end."""
        left = asyncio.Event()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True)
        ) as session:
            tasks = [asyncio.create_task(self._ask(session, left, number)) for number in range(callers)]
            try:
                yield
            finally:
                left.set()
                await asyncio.gather(*tasks)

    async def until_whole(self, more: int) -> None:
        """So many more turns are whole."""
        wanted = self.turns.whole + more
        async with asyncio.timeout(TURN_S_MAX + more * TURN_S_MAX / 4):
            while self.turns.whole < wanted:
                await asyncio.sleep(0.05)

    async def _ask(self, session: aiohttp.ClientSession, left: asyncio.Event, number: int) -> None:
        servers = cycle(
            self._servers[number % len(self._servers) :] + self._servers[: number % len(self._servers)]
        )
        while not left.is_set():
            began = time.monotonic()
            try:
                async with asyncio.timeout(TURN_S_MAX):
                    text = await self._turn(session, servers)
            except TimeoutError:
                self.turns.failed["late"] += 1
            else:
                self.turns.texts[text] += 1
                self.turns.whole_s.append(time.monotonic() - began)

    async def _turn(self, session: aiohttp.ClientSession, servers: cycle[str]) -> str:
        began = time.monotonic()
        while True:
            said: list[str] = []
            try:
                await self._read(session, next(servers), said, began)
                return "".join(said)
            except (aiohttp.ClientError, OSError, Cut, TimeoutError) as error:
                if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                    raise
                if said:
                    self.turns.begun_again += 1
                else:
                    status = getattr(error, "status", None)
                    self.turns.asked_again[str(status or type(error).__name__)] += 1
                    await asyncio.sleep(0.1)

    async def _read(self, session: aiohttp.ClientSession, server: str, said: list[str], began: float) -> None:
        loop = asyncio.get_running_loop()
        async with (
            asyncio.timeout(FIRST_S_MAX) as limit,
            session.post(
                f"{server}/chat/completions", json=self._body, headers=self._headers, raise_for_status=True
            ) as response,
        ):
            async for line in response.content:
                if line == b"data: [DONE]\n":
                    return
                if text := _text(line):
                    if not said:
                        self.turns.first_s.append(time.monotonic() - began)
                    said.append(text)
                    limit.reschedule(loop.time() + FIRST_S_MAX)
        raise Cut


def _text(line: bytes) -> str:
    """What a line of the stream adds to the answer."""
    if not line.startswith(b"data: "):
        return ""
    choices = json.loads(line[6:]).get("choices")
    return (choices[0]["delta"].get("content") or "") if choices else ""
