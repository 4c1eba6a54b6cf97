"""Overflow: the control plane's language model writes an answer when nobody at the site can in time.

The one text that leaves the site: under its policy (`overflow`), with marks in the place of personal values, sealed by
the guard, recorded by the courier before it is sent. What comes back gets its values again here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, Protocol

from edge.egress.envelope import Envelope
from edge.egress.overflow.alert import OverflowAlert
from edge.egress.overflow.client import Ended, Reply, Restarted
from edge.egress.overflow.errors import OverflowCut, OverflowDenied, OverflowLate
from edge.egress.text.answer_stream import ANSWER_CHARS_MAX, Admit, Restored, admitted
from edge.egress.text.handover import Admitted, Handover, TextRefused
from edge.inference.conversation import Begun, Message, Provider
from edge.inference.first_text import FirstText
from edge.privacy.policy import Purpose

log = logging.getLogger(__name__)

PERSONAL: Final = "personal"
"""Why the control plane denies what it recognises as personal."""


class Client(Protocol):
    """The way there; `edge.egress.overflow.client.OverflowClient`."""

    @property
    def ready(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    def generate(self, envelope: Envelope, *, deadline_s: float) -> AsyncGenerator[Reply, None]: ...


class Overflow:
    """Any number of answers at once. Used from one event loop."""

    def __init__(self, client: Client, admit: Admit, alert: OverflowAlert, first_text_s_max: float) -> None:
        """`admit`: the text guard's. `first_text_s_max`: how long the first words may take."""
        self._client = client
        self._admit = admit
        self._alert = alert
        self._first_text_s_max = first_text_s_max
        self._first_text = FirstText()

    @property
    def ready(self) -> bool:
        """Whether a request would be tried: a control plane can be reached."""
        return self._client.ready

    @property
    def reason(self) -> str:
        """Why not, as a short code; empty while ready."""
        return self._client.reason

    @property
    def first_text_s(self) -> float:
        """Predicted seconds until the first text."""
        return self._first_text.predicted_s(asyncio.get_running_loop().time())

    async def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str
    ) -> AsyncGenerator[str | Begun, None]:
        """Pieces of text as they come; Begun where the control plane begins anew. `about`: the session it is for.

        `deadline_s` and the limit of the first words run from here: they are the customer's, the guard's time included.
        Closing the iterator ends the request. Raises TextRefused, OverflowUnreachable, -Busy, -Late, -Cut, -Denied or
        -Refused; after any of them the text so far is not a whole answer.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        give_up_at, first_by = began + deadline_s, began + min(deadline_s, self._first_text_s_max)
        asked = Handover.of(
            Purpose.OVERFLOW,
            about,
            messages,
            max_new_tokens=max_new_tokens,
            patience_s=self._first_text_s_max,
        )
        text = await admitted(self._admit, asked, first_by - began)
        if text.envelope is None:
            raise TextRefused("Refused: not sealed.")
        if loop.time() >= first_by:  # the guard took it all: no fault of the control plane
            raise OverflowLate
        answer = self._client.generate(text.envelope, deadline_s=give_up_at - loop.time())
        silent = True
        try:
            async with aclosing(answer) as replies:
                async with aclosing(self._pieces(replies, text, first_by)) as pieces:
                    async for piece in pieces:
                        if silent and isinstance(piece, str):
                            silent = False
                            self._first_text.came(loop.time() - began, loop.time())
                        yield piece
        except OverflowDenied as denied:
            if denied.reason == PERSONAL:
                await self._alert.personal(about, denied.types)
            raise
        finally:
            if silent:  # also where nobody waits any more
                self._first_text.gave_up(loop.time() - began, loop.time())

    async def _pieces(
        self, replies: AsyncGenerator[Reply, None], text: Admitted, first_by: float
    ) -> AsyncGenerator[str | Begun, None]:
        """With their values, up to the end that was announced. Raises as `generate`."""
        restored, chars, begun = Restored(text), 0, False
        while not isinstance(reply := await self._next(replies, None if begun else first_by), Ended):
            if isinstance(reply, Restarted):
                restored, chars = Restored(text), 0
                yield Begun(Provider.CLOUD)
                continue
            begun = True
            chars += len(reply.text)
            if chars > ANSWER_CHARS_MAX:
                raise OverflowCut("The answer does not end.")
            if shown := restored.feed(reply.text):
                yield shown
        if rest := restored.close():
            yield rest

    async def _next(self, replies: AsyncGenerator[Reply, None], first_by: float | None) -> Reply:
        try:
            async with asyncio.timeout_at(first_by):
                return await anext(replies)
        except TimeoutError:
            raise OverflowLate from None
        except StopAsyncIteration:
            raise OverflowCut from None
