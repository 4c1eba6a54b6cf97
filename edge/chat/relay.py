"""Asks language models one after the other until one has written a whole answer.

In the order that `routing.decide` gave. A provider that fails before its first text costs no more time than leaves the
next one its own; one that is cut, or falls silent, in the middle of its text is followed by the next from the answer's
beginning, told by another `Begun`: what is shown already, and what must not be shown twice, is the reader's matter
(`edge.chat.generating`). Nothing is asked twice in a turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from core.breaker import Breaker, BreakerState
from core.completions.errors import LlmServerBusy
from core.errors import NotReachable, PosternError, RefusedByPolicy
from edge.chat.routing import Prospect
from edge.egress.overflow.errors import OverflowBusy, OverflowDenied
from edge.inference.conversation import Begun, Generator, Message, Provider
from edge.inference.worker_client import GenerationFailed, WorkerBusy
from models.errors import PromptTooLong

log = logging.getLogger(__name__)

RETRY_AFTER_S_MAX: Final = 60.0
"""A provider that asks to be left alone is believed so far and no further."""

FAILURES_MAX: Final = 3
"""In a row, before a provider is left alone: one may be chance, and each costs a customer time."""

OPEN_S: Final = 10.0
"""Then. A worker or server that died is back within seconds; one that hangs is tried by one customer in so long."""

HANDOVER_S: Final = 0.05
"""Left to the next provider beside its predicted time: to stop one and ask another takes some milliseconds."""

REFUSED: Final = "refused"
"""What is counted for a text that a guard did not let go, whatever its reason."""


class FirstTextLate(PosternError):
    """A language model did not begin in time."""

    code = "first_text_late"
    title = "The language model does not begin in time"
    remedy = "Give it less to do, or raise answer.first_token_deadline_s."
    status = 504

    def __init__(self, fault: bool = False) -> None:
        """`fault`: nobody heard anything of it meanwhile, and it had all the time that there is."""
        super().__init__()
        self.fault = fault


class TextStalled(PosternError):
    """A language model began, and then said nothing for too long."""

    code = "text_stalled"
    title = "The language model fell silent in the middle of an answer"
    remedy = "Ask again; if it happens often, look at that model's log."
    status = 504


@dataclass(frozen=True, slots=True)
class Lost:
    """A provider was asked, and its text is not whole. `code`: the error's, or `REFUSED`."""

    provider: Provider
    code: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer may take.

    max_new_tokens  of each provider
    first_by, give_up_at  on the event loop's clock: until the first text of whoever begins; until the end
    hurry_s         for the first text, where the next provider would begin as soon
    silence_s       between two pieces of text
    about           the session that it is for
    """

    messages: Sequence[Message]
    max_new_tokens: int
    first_by: float
    give_up_at: float
    hurry_s: float
    silence_s: float
    about: str


class Relay:
    """The providers of a node. Used from one event loop."""

    def __init__(self) -> None:
        self._writers: dict[Provider, _Writer] = {}

    def join(
        self, provider: Provider, generator: Generator, heard_at: Callable[[], float] = lambda: 0.0
    ) -> None:
        """From now on it is asked, too. `heard_at`: when it wrote last, also for others than customers."""
        self._writers[provider] = _Writer(provider, generator, heard_at)

    def prospects(self) -> tuple[Prospect, ...]:
        """What is known of each now."""
        return tuple(
            Prospect(writer.provider, writer.usable, writer.first_text_s) for writer in self._writers.values()
        )

    def left_alone(self, provider: Provider) -> str:
        """Why it is, as a short code; empty while it is not. How a server is reached is told elsewhere."""
        writer = self._writers.get(provider)
        if writer is None:
            return ""
        if (state := writer.breaker.state) is not BreakerState.CLOSED:
            return state.value
        return "not_running" if provider is Provider.OWN and not writer.generator.ready else ""

    def told(self) -> list[dict[str, object]]:
        """The part of `postern status`."""
        return [
            {
                "provider": writer.provider,
                "ready": writer.usable,
                "breaker": writer.breaker.state,
                "first_text_s": round(writer.first_text_s, 2),
            }
            for writer in self._writers.values()
        ]

    async def generate(
        self, asked: Asked, providers: Sequence[Provider]
    ) -> AsyncGenerator[str | Begun | Lost, None]:
        """`Begun` before each provider's text, `Lost` after one that is not whole. Closing it stops who writes.

        Raises PromptTooLong when whoever is asked before any text says so, and the last one's PosternError when all
        are lost.
        """
        begun = False
        failure: PosternError | None = None
        writers = [self._writers[provider] for provider in providers if provider in self._writers]
        for place, writer in enumerate(writers):
            # The first was chosen for its time; but a prompt that was too long for it may have taken that.
            if not (writer.in_time(asked, begun) if place else writer.usable and _now() < asked.first_by):
                continue
            rest = [one for one in writers[place + 1 :] if one.in_time(asked, begun)]
            next_s = rest[0].first_text_s if rest else None
            try:
                async with aclosing(writer.write(asked, writer.first_by(asked, begun, next_s))) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
            except PromptTooLong as error:
                if not begun:
                    raise
                lost = Lost(writer.provider, error.code)  # a cut leaves no time for a shorter one
            except PosternError as error:
                lost = Lost(writer.provider, REFUSED if isinstance(error, RefusedByPolicy) else error.code)
                if (
                    failure is None or lost.code != REFUSED
                ):  # what failed is told, rather than what may not go
                    failure = error
            else:
                return
            yield lost
        raise failure or FirstTextLate()


class _Writer:
    """A provider, and what is known of it."""

    def __init__(self, provider: Provider, generator: Generator, heard_at: Callable[[], float]) -> None:
        self.provider = provider
        self.generator = generator
        self.breaker = Breaker(failures_max=FAILURES_MAX, open_s=OPEN_S, is_fault=_is_fault)
        self._heard_elsewhere_at = heard_at
        self._heard_at = 0.0
        self._left_s, self._left_until = 0.0, 0.0

    @property
    def first_text_s(self) -> float:
        """Predicted, were it asked now. One that was left for another lately is not expected to be as soon again."""
        predicted_s = self.generator.first_text_s
        return max(predicted_s, self._left_s) if _now() < self._left_until else predicted_s

    @property
    def usable(self) -> bool:
        return self.generator.ready and self.breaker.allows

    def in_time(self, asked: Asked, begun: bool) -> bool:
        """Whether it would begin before it is too late: for the first text, or once one has begun, for the end."""
        by = asked.give_up_at if begun else asked.first_by
        return self.usable and _now() + self.first_text_s < by

    def first_by(self, asked: Asked, begun: bool, next_s: float | None) -> float:
        """When its first text is too late. `next_s`: predicted of the next one, which must still be able to begin.

        It has half of the time at least, unless the next one would be there soon; and no more than half where it failed
        before and there is a next one: a trial costs nobody the answer.
        """
        now = _now()
        if begun:
            return min(now + asked.silence_s, asked.give_up_at)
        half_s = max(0.0, asked.first_by - now) / 2
        tried = next_s is not None and self.breaker.state is BreakerState.HALF_OPEN
        by = asked.first_by - (half_s if tried else min((next_s or 0.0) + HANDOVER_S, half_s))
        soon = next_s is not None and next_s <= asked.hurry_s
        return min(by, now + asked.hurry_s) if soon else by

    async def write(self, asked: Asked, first_by: float) -> AsyncGenerator[str | Begun, None]:
        """Its text. Raises PosternError when that is not whole, PromptTooLong when it was not even read."""
        text = False
        try:
            with self.breaker.call():
                async with aclosing(self._pieces(asked, first_by)) as pieces:
                    async for piece in pieces:
                        text = True
                        yield piece
        except GeneratorExit:
            if text:  # whoever left had read enough
                with self.breaker.call():
                    pass
            raise
        except PosternError as error:
            self._note(error)
            if _too_long(error):
                raise PromptTooLong from None
            raise

    async def _pieces(self, asked: Asked, by: float) -> AsyncGenerator[str | Begun, None]:
        """Its text, `Begun` before it, each piece in time."""
        asked_at = _now()
        left_s = asked.give_up_at - asked_at
        generating = self.generator.generate(
            asked.messages, max_new_tokens=asked.max_new_tokens, deadline_s=left_s, about=asked.about
        )
        silent = True
        async with aclosing(generating) as pieces:
            while True:
                try:
                    async with asyncio.timeout_at(by):
                        piece = await anext(pieces, None)
                except TimeoutError:
                    raise (self._late(asked, asked_at, by) if silent else TextStalled()) from None
                if piece is None:
                    return
                self._heard_at = _now()
                if silent and isinstance(piece, str):
                    silent = False
                    yield Begun(self.provider)
                if not silent:
                    yield piece
                    by = min(asked.give_up_at, _now() + asked.silence_s)

    def _late(self, asked: Asked, asked_at: float, by: float) -> FirstTextLate:
        """It was waited for until `by`. A fault, unless it wrote to others meanwhile, or had less than the whole time.

        One that was left for the next takes about the middle of what it still had, as far as one can tell: whoever
        begins sooner goes before it, for as long as one that failed is left alone.
        """
        alive = max(self._heard_at, self._heard_elsewhere_at()) >= asked_at
        cut_short = by < asked.first_by - HANDOVER_S
        if cut_short and not alive:
            self._left_s, self._left_until = (by + asked.first_by) / 2 - asked_at, _now() + OPEN_S
        return FirstTextLate(not alive and not cut_short and by - asked_at >= HANDOVER_S)

    def _note(self, error: PosternError) -> None:
        """What is to be known of a loss; leave the provider alone for as long as it asks for."""
        if _too_long(error):
            self._heard_at = _now()
        if isinstance(error, RefusedByPolicy) or _too_long(error):
            return
        log.warning("a language model was lost", extra={"provider": self.provider, "code": error.code})
        if isinstance(error, OverflowDenied) and error.reason == "not_offered":
            self.breaker.rest(RETRY_AFTER_S_MAX)
        elif error.retry_after_s is not None and not isinstance(error, NotReachable | WorkerBusy):
            # It said so, and not we; the worker's line may be full for one caller only, and its lane tells the wait.
            self.breaker.rest(min(error.retry_after_s, RETRY_AFTER_S_MAX))


def _is_fault(error: Exception) -> bool:
    """Whether a provider is to blame. A policy is not its own, and one that is busy says so, or writes to others."""
    if isinstance(error, FirstTextLate):
        return error.fault
    if isinstance(error, OverflowDenied):  # all else is the text's, or the control plane's own rules'
        return error.reason == "failed"
    return not isinstance(
        error, RefusedByPolicy | WorkerBusy | LlmServerBusy | OverflowBusy
    ) and not _too_long(error)


def _too_long(error: Exception) -> bool:
    if isinstance(error, OverflowDenied):
        return error.reason == "too_long"
    return isinstance(error, GenerationFailed) and error.reason == PromptTooLong.code


def _now() -> float:
    return asyncio.get_running_loop().time()
