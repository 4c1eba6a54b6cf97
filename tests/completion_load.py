"""Callers of language model servers who do what the control plane does, through its own provider.

They ask elsewhere before the first word, and begin again after a cut.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.openai_server import OpenAiServer
from cloud_sync.overflow.provider import Asked, Provider
from core.completions.asking import Deadlines
from core.errors import PosternError

TURN_S_MAX = 20.0
"""A node's `answer.generate_deadline_s`."""

FIRST_S_MAX = 5.0
"""Until the first word, before the next server is asked, and between two pieces."""

PAUSE_S = 0.1
"""Before the next server is asked: a machine that is lost refuses connections at once."""


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

    def __init__(self, servers: Sequence[str], key_file: Path, model: str) -> None:
        self.turns = Turns()
        self._providers = [
            OpenAiServer(
                ProviderSettings(
                    name=f"door-{number}", kind="openai", model=model, url=url, api_key_file=key_file
                )
            )
            for number, url in enumerate(servers)
        ]
        self._asked = Asked((("user", "When do you open?"),), 64)

    @asynccontextmanager
    async def asking(self, callers: int) -> AsyncIterator[None]:
        """So many of them ask while the block runs, and finish their turn at its end."""
        left = asyncio.Event()
        tasks = [asyncio.create_task(self._ask(left, number)) for number in range(callers)]
        try:
            yield
        finally:
            left.set()
            await asyncio.gather(*tasks)
            for provider in self._providers:
                await provider.close()

    async def until_whole(self, more: int) -> None:
        """So many more turns are whole."""
        wanted = self.turns.whole + more
        async with asyncio.timeout(TURN_S_MAX + more * TURN_S_MAX / 4):
            while self.turns.whole < wanted:
                await asyncio.sleep(0.05)

    async def _ask(self, left: asyncio.Event, number: int) -> None:
        first = number % len(self._providers)
        providers = cycle([*self._providers[first:], *self._providers[:first]])
        while not left.is_set():
            began = time.monotonic()
            try:
                async with asyncio.timeout(TURN_S_MAX):
                    text = await self._turn(providers)
            except TimeoutError:
                self.turns.failed["late"] += 1
            else:
                self.turns.texts[text] += 1
                self.turns.whole_s.append(time.monotonic() - began)

    async def _turn(self, providers: cycle[OpenAiServer]) -> str:
        began = time.monotonic()
        while True:
            said: list[str] = []
            try:
                await self._read(next(providers), said, began)
                return "".join(said)
            except PosternError as error:
                if said:
                    self.turns.begun_again += 1
                else:
                    self.turns.asked_again[str(error.detail)] += 1
                    await asyncio.sleep(PAUSE_S)

    async def _read(self, provider: Provider, said: list[str], began: float) -> None:
        """One answer, piece by piece into `said`. Raises the errors of `Provider.generate`."""
        now = asyncio.get_running_loop().time()
        until = Deadlines(now + FIRST_S_MAX, now + TURN_S_MAX, FIRST_S_MAX)
        async with aclosing(provider.generate(self._asked, until)) as pieces:
            async for piece in pieces:
                if isinstance(piece, str):
                    if not said:
                        self.turns.first_s.append(time.monotonic() - began)
                    said.append(piece)
