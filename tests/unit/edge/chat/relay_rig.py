"""Language models that say what a test wrote, behind a relay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from core.errors import PosternError
from edge.chat.relay import (
    Asked,
    Relay,
)
from edge.inference.conversation import Begun, Message, Provider
from edge.inference.worker_client import WorkerUnreachable

OWN, LAN, CLOUD = Provider.OWN, Provider.LAN, Provider.CLOUD
SILENT = None
UNREACHABLE = WorkerUnreachable()
"""A fault, and nobody asked to be left alone."""


@dataclass
class Scripted:
    """Says `pieces`; raises what stands among them, waits for an event, and says nothing more from None on."""

    pieces: Sequence[str | Begun | PosternError | asyncio.Event | None] = ("one ", "two")
    first_text_s: float = 0.0
    ready: bool = True
    asked: list[float] = field(default_factory=list)
    """The deadline of each request, seconds."""
    closed: int = 0

    async def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str = ""
    ) -> AsyncGenerator[str | Begun, None]:
        self.asked.append(deadline_s)
        try:
            for piece in self.pieces:
                if piece is SILENT:
                    await asyncio.Event().wait()
                elif isinstance(piece, asyncio.Event):
                    await piece.wait()
                elif isinstance(piece, PosternError):
                    raise piece
                else:
                    yield piece
        finally:
            self.closed += 1


def skip_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop's clock stands while anything is done, and skips what all would wait for: nobody is ever late."""
    loop: Any = asyncio.get_running_loop()
    now, select = [loop.time()], loop._selector.select

    def skip(timeout: float | None = None) -> Any:
        found = select(timeout and 0)
        if timeout and not found:
            now[0] += timeout
        return found

    monkeypatch.setattr(loop, "time", lambda: now[0])
    monkeypatch.setattr(loop._selector, "select", skip)


def relay(**writers: Scripted) -> Relay:
    made = Relay()
    for name, writer in writers.items():
        made.join(Provider(name), writer)
    return made


def asked(first_s: float = 5.0, whole_s: float = 20.0, silence_s: float = 5.0, hurry_s: float = 9.0) -> Asked:
    now = asyncio.get_running_loop().time()
    return Asked((), 16, now + first_s, now + whole_s, hurry_s, silence_s, "a-session")


async def told(
    made: Relay, *providers: Provider, wanted: Asked | None = None
) -> tuple[list[object], PosternError | None]:
    """What it yields, and what it raises."""
    events: list[object] = []
    try:
        async with aclosing(made.generate(wanted or asked(), providers)) as pieces:
            async for piece in pieces:
                events.append(piece)
    except PosternError as error:
        return events, error
    return events, None
