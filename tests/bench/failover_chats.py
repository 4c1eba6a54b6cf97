"""Customers whose node dies: they follow the protocol of docs/api.md ("When a node dies"), nothing else.

Each chat asks one question after the other, streamed; when its node is gone it goes on at the sibling by the newest
token, asks the open question again, and asks what the sibling knows.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

SILENCE_S: Final = 2.5
"""A node that says nothing for so long is taken for dead."""

SIBLING_SILENCE_S: Final = 10.0
"""A sibling to which all come at once is given longer."""

TRIES_MAX: Final = 20
"""Until a chat is given up."""

GONE: Final = (aiohttp.ClientError, ConnectionError, TimeoutError)
SESSIONS: Final = "/api/v1/sessions"


class Refused(Exception):
    """The node says no; the argument is the problem."""

    @property
    def retry_after_s(self) -> float | None:
        """When to ask again, where it said so."""
        found = self.args[0].get("retry_after_s")
        return None if found is None else float(found)


@dataclass
class Chat:
    """One customer. Times are of the monotonic clock, seconds.

    final    turns whose `final` came, in order
    open     the question that is being answered, None between two
    gone_s   when it noticed that its node is dead
    back_s   when the sibling first showed it something of an answer
    retries  how often the sibling had no room
    """

    http: aiohttp.ClientSession
    nodes: Sequence[str]
    node: str = ""
    session: str = ""
    bearer: str = ""
    token: str | None = None
    notice: str = ""
    final: list[str] = field(default_factory=list)
    open: str | None = None
    shown: int = 0
    gone_s: float | None = None
    taken_s: float | None = None
    back_s: float | None = None
    retries: int = 0
    failed: str = ""
    permits: bool = False
    """Whether they permit help from outside."""

    @property
    def patience_s(self) -> float:
        """For as long as it waits for a sign of life."""
        return SILENCE_S if self.gone_s is None else SIBLING_SILENCE_S

    async def arrive(self) -> None:
        """Begin at the first node, and accept the notice."""
        self.node = self.nodes[0]
        self._opened(await self._post(SESSIONS, {"channel": "kiosk"}))
        await self._agree()

    async def talk(self, questions: Sequence[str]) -> None:
        """Ask until the node is gone, and one question to its end elsewhere; whatever happens is in the fields."""
        try:
            for question in questions:
                await self._ask_on(question)
                if self.back_s is not None:
                    return
        except Refused as refused:
            self.failed = str(refused.args[0].get("code"))
        except GONE as error:
            self.failed = type(error).__name__

    async def ask(self, question: str) -> dict[str, Any]:
        """One answer, where the chat is now."""
        async for name, data in self._events(question):
            full = name == "final" and data.get("retry_after_s")
            if name in {"delta", "final"} and not full and self.gone_s is not None and self.back_s is None:
                self.back_s = time.monotonic()
            if full:  # the desk's card: it is full, and this is no answer
                raise Refused(data)
            if name == "final":
                self.final.append(data["turn_id"])
                self.token = data.pop("continuation", self.token)
                return dict(data)
            if name == "error":
                raise Refused(data)
            if name == "delta":
                self.shown += 1
        raise ConnectionError

    async def known(self, turn: str) -> bool:
        """Whether the node where the chat is now has this turn: an opinion of it is taken."""
        path = f"{SESSIONS}/{self.session}/turns/{turn}/feedback"
        try:
            await self._post(path, {"useful": True})
        except Refused:
            return False
        return True

    async def _ask_on(self, question: str) -> None:
        """Asked again until it is answered; what was shown of it before counts for nothing."""
        for _ in range(TRIES_MAX):
            self.open, self.shown = question, 0
            try:
                await self.ask(question)
            except GONE:
                if self.gone_s is None:
                    self.gone_s = time.monotonic()
                await self._go_on()
            except Refused as refused:
                if refused.retry_after_s is None:
                    raise
                self.retries += 1
                await asyncio.sleep(refused.retry_after_s)
            else:
                self.open = None
                return
        raise TimeoutError

    async def _go_on(self) -> None:
        """At the next node that takes it. Raises what the last one said."""
        here = self.nodes.index(self.node)
        for node in [*self.nodes[here + 1 :], *self.nodes[:here]]:
            self.node = node
            with suppress(*GONE):
                if self.token:
                    self._opened(await self._post(SESSIONS, {"continuation": self.token}, bearer=False))
                else:
                    self._opened(await self._post(SESSIONS, {"channel": "kiosk"}, bearer=False))
                await self._agree()
                self.taken_s = time.monotonic()
                return
        raise ConnectionError

    async def _agree(self) -> None:
        body = {"notice_version": self.notice, "overflow": self.permits}
        await self._post(f"{SESSIONS}/{self.session}/consent", body)

    def _opened(self, told: dict[str, Any]) -> None:
        self.session, self.bearer = told["session_id"], told["token"]
        self.notice = told["notice"]["version"]
        self.token = told.get("continuation", self.token)

    async def _post(self, path: str, body: object, *, bearer: bool = True) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.bearer}"} if bearer and self.bearer else {}
        async with asyncio.timeout(self.patience_s):
            async with self.http.post(self.node + path, json=body, headers=headers) as response:
                told = await response.json(content_type=None)
                if response.status >= 400:
                    raise Refused(told)
                return dict(told or {})

    async def _events(self, question: str) -> AsyncGenerator[tuple[str, Any], None]:
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {self.bearer}"}
        url = f"{self.node}{SESSIONS}/{self.session}/turns"
        silence = aiohttp.ClientTimeout(total=None, sock_read=self.patience_s, sock_connect=self.patience_s)
        async with self.http.post(url, json={"text": question}, headers=headers, timeout=silence) as response:
            if response.status != 200:
                raise Refused(await response.json(content_type=None))
            name = ""
            async for raw in response.content:
                key, _, value = raw.decode().rstrip("\n").partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    yield name, json.loads(value)
