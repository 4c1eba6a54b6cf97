"""One answer for a node: a place in the line, one more scan, then the providers in their order until one is through.

Behind the place, a text is looked at to the end, and who it names is told, also where the node has given up meanwhile.
A provider that fails before its first words costs the next one nothing but the time. One that is lost behind them is
told as a restart: the next writes from the beginning, and what the node had so far is no whole answer.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from cloud_sync.overflow.line import Line, LineFull
from cloud_sync.overflow.metrics import OverflowMetrics
from cloud_sync.overflow.offer import Offer, Refusal, refusal_of
from cloud_sync.overflow.provider import Asked, Finish, Role, Written
from cloud_sync.overflow.rescan import Rescan, Unscanned
from core.completions.asking import Deadlines
from core.errors import PosternError

log = logging.getLogger(__name__)

_GRAVITY: Final = ("too_long", "failed", "late", "busy", "budget")
"""Of several providers' refusals the last of these is told: what will pass by itself hides what will not."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of a message. `published`: of a public document or the program's own; else a customer's, redacted."""

    text: str = field(repr=False)
    published: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What a node asks."""

    messages: tuple[tuple[Role, tuple[Piece, ...]], ...]
    max_new_tokens: int
    patience_s: float = math.inf
    """How long the node goes without text: until the first of it, and between two pieces."""

    @property
    def asked(self) -> Asked:
        """As providers read it."""
        texts = ((role, "".join(piece.text for piece in pieces)) for role, pieces in self.messages)
        return Asked(tuple(texts), self.max_new_tokens)

    @property
    def said(self) -> list[str]:
        """A customer's words, message by message: pieces are no borders of names."""
        return [
            "".join(piece.text if not piece.published else " " for piece in pieces)
            for _, pieces in self.messages
            if not all(piece.published for piece in pieces)
        ]


@dataclass(frozen=True, slots=True)
class Restart:
    """Another provider writes from the beginning."""


@dataclass(frozen=True, slots=True)
class End:
    """The answer is whole."""

    finish: Finish
    provider: str
    prompt_tokens: int
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Denial:
    """No whole answer; see OverflowDenial of the proto for the codes."""

    code: str
    retry_after_s: float = 0.0
    types: tuple[str, ...] = ()


Event = str | Restart | End | Denial

Alert = Callable[[str, tuple[str, ...]], Awaitable[None]]
"""A node sent what names somebody: node, types."""


class Answering:
    """Used from one event loop."""

    def __init__(
        self, offers: Sequence[Offer], line: Line, wait_s_max: float, rescan: Rescan,
        metrics: OverflowMetrics, alert: Alert, clock: Callable[[], datetime],
    ) -> None:  # fmt: skip
        """`offers`: in the order in which they are asked. `wait_s_max`: in the line."""
        self.offers = offers
        self._line = line
        self._wait_s_max = wait_s_max
        self._rescan = rescan
        self._metrics = metrics
        self._alert = alert
        self._clock = clock
        # Looks at texts, which end also where nobody waits for them; `Rescan` bounds them.
        self._looks = set[asyncio.Task[tuple[str, ...]]]()

    async def answer(self, node: str, request: Request, deadline_s: float) -> AsyncGenerator[Event, None]:
        """Text and restarts, then one End or one Denial, within `deadline_s`.

        Closing the iterator ends the generation.
        """
        now = asyncio.get_running_loop().time()
        first_by = now + min(deadline_s, request.patience_s)
        until = Deadlines(first_by, now + deadline_s, request.patience_s)
        async with aclosing(self._answer(node, request, until)) as events:
            async for event in events:
                if isinstance(event, Denial):
                    self._metrics.denied.labels(event.code).inc()
                yield event

    async def _answer(self, node: str, request: Request, until: Deadlines) -> AsyncGenerator[Event, None]:
        try:
            left_s = until.first_by - asyncio.get_running_loop().time()
            # The other half is a provider's.
            async with self._line.place(node, min(self._wait_s_max, left_s / 2)):
                if types := await self._looked(node, request.said):
                    yield Denial("personal", types=types)
                    return
                async with aclosing(self._written(node, request.asked, until)) as events:
                    async for event in events:
                        yield event
        except LineFull as error:
            yield Denial("busy", error.retry_after_s or 1.0)
        except Unscanned as error:
            log.error("a request could not be scanned", extra={"node": node, "detail": error.detail})
            yield Denial("failed")

    async def _looked(self, node: str, said: Sequence[str]) -> tuple[str, ...]:
        """As `Rescan.personal`, with an alert; both end also where whoever asked has gone. Raises Unscanned."""
        look = asyncio.create_task(self._look(node, said), name="look")
        self._looks.add(look)
        look.add_done_callback(self._done)
        return await asyncio.shield(look)

    def _done(self, look: asyncio.Task[tuple[str, ...]]) -> None:
        self._looks.discard(look)
        if not look.cancelled():
            look.exception()  # whoever left asks no more

    async def _look(self, node: str, said: Sequence[str]) -> tuple[str, ...]:
        if types := await self._rescan.personal(said):
            await self._raise_alert(node, types)
        return types

    async def _raise_alert(self, node: str, types: tuple[str, ...]) -> None:
        log.error("a node sent what names somebody", extra={"node": node, "types": " ".join(types)})
        try:
            await self._alert(node, types)
        except PosternError as error:  # it is refused all the same, counted, and in the log
            log.error("an alert could not be written down", extra={"code": error.code})

    async def _written(self, node: str, asked: Asked, until: Deadlines) -> AsyncGenerator[Event, None]:
        wrote, refusals = False, list[Refusal]()
        for place, offer in enumerate(self.offers):
            if asyncio.get_running_loop().time() >= until.first_by:
                refusals.append(Refusal("late"))
                break
            if refusal := offer.refusal(asked, self._clock()):
                refusals.append(refusal)
                continue
            if wrote:
                wrote = False
                yield Restart()
            try:
                next_s = self._next_s(self.offers[place + 1 :], asked)
                async with aclosing(offer.generate(node, asked, until, next_s)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Written):
                            yield _end(offer.name, piece)
                            return
                        wrote = True
                        yield piece
            except PosternError as error:
                log.warning("a provider failed", extra={"provider": offer.name, "code": error.code})
                refusals.append(refusal_of(error))
                if wrote:  # the restart is news to the node, which waits anew
                    until = replace(until, first_by=until.next_by(asyncio.get_running_loop().time()))
        yield denial_of(refusals)

    def _next_s(self, offers: Sequence[Offer], asked: Asked) -> float | None:
        """Seconds until the first text of the one that would be asked next; None: there is none."""
        now = self._clock()
        return next((offer.first_text_s for offer in offers if not offer.refusal(asked, now)), None)


def denial_of(refusals: Sequence[Refusal]) -> Denial:
    """What a node is told when no provider is through: the one that tells most, and the soonest time to come. Pure."""
    code = max((refusal.code for refusal in refusals), key=_GRAVITY.index, default="failed")
    return Denial(code, min((one.retry_after_s for one in refusals if one.code == code), default=0.0))


def _end(provider: str, written: Written) -> End:
    return End(written.finish, provider, written.prompt_tokens or 0, written.new_tokens or 0)
