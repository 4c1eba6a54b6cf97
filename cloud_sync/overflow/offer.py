"""A provider as it stands: left alone while it fails, asked no more once its day's budget is spent, and counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.metrics import OverflowMetrics
from cloud_sync.overflow.provider import HANGS, Asked, Provider, Written
from cloud_sync.overflow.usage import UsageBook, estimated_tokens
from cloud_sync.store.overflow import MICROS, Spending
from core.breaker import Breaker
from core.completions.asking import Deadlines
from core.completions.errors import (
    LlmServerBusy,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
)
from core.errors import PosternError
from models.errors import PromptTooLong

log = logging.getLogger(__name__)

FAILURES_MAX: Final = 3
"""In a row: one is an accident, and each costs a customer the time until the next provider."""

OPEN_S: Final = 10.0
"""A server starts again in about that time; a customer pays for a try that fails."""

RETRY_AFTER_S_MAX: Final = 60.0
"""A busy provider is believed so far and no further."""

FIRST_TEXT_S_GUESS: Final = 0.3
"""Until a provider's first text, before any came: a small model's on two cores begins after 0.3 to 0.6 s."""

WEIGHT_OF_NEWEST: Final = 0.2
"""In the running mean of it: remembers about the last five."""

PATIENCE_SHARE: Final = 0.75
"""Of a node's patience between two pieces, where another provider follows: the restart is there before it goes."""

OF_THE_PROMPT: Final = frozenset({"status_400", "status_413", "status_422", "not_finished"})
"""Reasons of a failure that another prompt might not meet: they tell nothing of the provider."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a provider is not asked, or wrote nothing whole: busy, budget, failed, late or too_long."""

    code: str
    retry_after_s: float = 0.0


class _OutOfTime(LlmServerLate):
    """The customer's time was up, which is no fault of the provider's."""


class Offer:
    """Used from one event loop."""

    def __init__(
        self, provider: Provider, settings: ProviderSettings, usage: UsageBook, metrics: OverflowMetrics
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.last_error = ""
        self.first_text_s = FIRST_TEXT_S_GUESS
        """Predicted seconds until its first text."""
        self.breaker = Breaker(failures_max=FAILURES_MAX, open_s=OPEN_S, is_fault=_is_fault)
        self._usage = usage
        self._metrics = metrics
        self._reserved = 0

    @property
    def name(self) -> str:
        """As cloud.toml has it."""
        return self.provider.name

    def refusal(self, asked: Asked, now: datetime) -> Refusal | None:
        """Why it is not to be asked now; None: it may."""
        if not self.breaker.allows:
            return Refusal("busy", self.breaker.wait_s or 1.0)
        budget = self.settings.daily_budget
        if budget is None:
            return None
        spent = self._usage.spent_micros(self.name) + self._reserved + self._most(asked)
        return Refusal("budget", _until_tomorrow_s(now)) if spent > budget * MICROS else None

    async def generate(
        self, node: str, asked: Asked, customer: Deadlines, next_s: float | None = None
    ) -> AsyncGenerator[str | Written, None]:
        """As `Provider.generate`, counted for the node; the tokens of Written are never None.

        `customer`: the node's own deadlines. `next_s`: what the next provider needs for its first text; None: no other.
        """
        began = asyncio.get_running_loop().time()
        until = deadlines_of(self.settings, customer, began, next_s)
        reserved = self._most(asked)
        self._reserved += reserved
        pieces, outcome, ended, owes = 0, "left", None, True
        try:
            with self.breaker.call():
                async with aclosing(_in_time(self.provider.generate(asked, until), customer)) as generation:
                    async for piece in generation:
                        if isinstance(piece, Written):
                            ended, outcome, self.last_error = piece, "whole", ""
                            break
                        pieces += 1
                        if pieces == 1:
                            self._began_after(asyncio.get_running_loop().time() - began)
                        yield piece
            assert ended is not None
            yield Written(ended.finish, *_tokens(asked, ended, pieces))
        except PosternError as error:
            outcome = self.last_error = error.code
            owes = _may_owe(error)
            if isinstance(error, LlmServerLate) and not pieces:
                self.first_text_s = max(self.first_text_s, asyncio.get_running_loop().time() - began)
            if isinstance(error, LlmServerBusy) and self.provider.rests_when_busy:
                self.breaker.rest(min(error.retry_after_s or 0.0, RETRY_AFTER_S_MAX))
            raise
        finally:
            self._reserved -= reserved
            prompt_tokens, new_tokens = _tokens(asked, ended, pieces)
            self._count(node, outcome, prompt_tokens if owes or new_tokens else 0, new_tokens)

    def _began_after(self, seconds: float) -> None:
        self.first_text_s += WEIGHT_OF_NEWEST * (seconds - self.first_text_s)
        self._metrics.first_text(self.name, seconds)

    def _count(self, node: str, outcome: str, prompt_tokens: int, new_tokens: int) -> None:
        whole = outcome == "whole"
        cost = self._price(prompt_tokens + new_tokens)
        spending = Spending(int(whole), int(not whole), prompt_tokens, new_tokens, cost)
        self._usage.add(self.name, node, spending)
        self._metrics.answered(self.name, outcome, spending)

    def _most(self, asked: Asked) -> int:
        """Millionths that an answer can cost."""
        return self._price(_prompt_tokens(asked) + asked.max_new_tokens)

    def _price(self, tokens: int) -> int:
        return round(tokens * self.settings.cost_per_1000_tokens * MICROS / 1000)


def deadlines_of(
    settings: ProviderSettings, customer: Deadlines, now: float, next_s: float | None
) -> Deadlines:
    """A provider's: as the settings have them, and within the customer's, less what the next provider needs. Pure.

    Only where that is no more than half: a next one that would be too late anyway costs this one nothing.
    """
    first_by, silence_s = customer.first_by, customer.silence_s
    if next_s is not None:
        silence_s *= PATIENCE_SHARE
        first_by -= next_s if next_s <= (first_by - now) / 2 else 0.0
    return Deadlines(
        min(first_by, now + settings.first_text_s_max),
        customer.give_up_at,
        min(silence_s, settings.silence_s_max),
    )


async def _in_time(
    pieces: AsyncGenerator[str | Written, None], customer: Deadlines
) -> AsyncGenerator[str | Written, None]:
    """The pieces; a provider that is late only because the customer's time is up is told apart."""
    time_is_up = customer.first_by
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                time_is_up = customer.give_up_at
                yield piece
    except LlmServerLate:
        if asyncio.get_running_loop().time() >= time_is_up:
            raise _OutOfTime from None
        raise


def refusal_of(error: PosternError) -> Refusal:
    """What a node is told of it."""
    if isinstance(error, PromptTooLong):
        return Refusal("too_long")
    if isinstance(error, LlmServerBusy):
        return Refusal("busy", error.retry_after_s or 1.0)
    return Refusal("late" if isinstance(error, LlmServerLate) else "failed")


def _is_fault(error: Exception) -> bool:
    if isinstance(error, LlmServerFailed):
        return error.reason not in OF_THE_PROMPT
    return not isinstance(error, PromptTooLong | LlmServerBusy | _OutOfTime)


def _may_owe(error: PosternError) -> bool:
    """Whether a provider that wrote nothing may ask to be paid for the prompt: it had it, and did not turn it away."""
    if isinstance(error, LlmServerFailed):
        return not error.reason.startswith("status_4") and error.reason != HANGS
    return not isinstance(error, LlmServerUnreachable | LlmServerBusy | PromptTooLong)


def _prompt_tokens(asked: Asked) -> int:
    return estimated_tokens(sum(len(text) for _, text in asked.messages))


def _tokens(asked: Asked, ended: Written | None, pieces: int) -> tuple[int, int]:
    """Of prompt and answer: the provider's counts, else estimates (a piece of a stream is a token nearly always)."""
    prompt = ended.prompt_tokens if ended and ended.prompt_tokens is not None else _prompt_tokens(asked)
    new = ended.new_tokens if ended and ended.new_tokens is not None else pieces
    return prompt, new


def _until_tomorrow_s(now: datetime) -> float:
    """Seconds until budgets begin anew."""
    tomorrow = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
    return (tomorrow - now).total_seconds()
