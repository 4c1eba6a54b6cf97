"""Providers in their order: what a node is told whatever becomes of each, and what is counted of it."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.answering import Answering, Denial, End, Piece, Request, Restart, denial_of
from cloud_sync.overflow.line import Line
from cloud_sync.overflow.metrics import OverflowMetrics
from cloud_sync.overflow.offer import FAILURES_MAX, FIRST_TEXT_S_GUESS, Offer, Refusal, deadlines_of
from cloud_sync.overflow.provider import Asked, Provider, Written
from cloud_sync.overflow.rescan import Rescan
from cloud_sync.overflow.usage import UsageBook, estimated_tokens
from cloud_sync.store.database import Database, StoreUnavailable
from core.breaker import BreakerState
from core.completions.asking import Deadlines
from core.completions.errors import (
    LlmServerBusy,
    LlmServerCut,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
)
from models.detect.detector import Detector, Finding
from models.errors import PromptTooLong
from tests.overflow_rig import NAME, ScriptedDetector

NOW = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
TO_MIDNIGHT_S = 6 * 3600.0
NODE = "node-1"
REQUEST = Request((("user", (Piece("Where is it?", False),)),), 8)
PROMPT_TOKENS = estimated_tokens(len("Where is it?"))
LONG_AGO = Deadlines(0.0, 0.0)
Says = Sequence[str | Written | Exception]
HANG = "hang"
WHOLE: Says = ("a", "b", Written("stop", 3, 2))


class Scripted(Provider):
    """Says what it is told, a script an answer; the last script again and again. HANG: nothing until its deadline."""

    def __init__(self, name: str, *scripts: Says) -> None:
        super().__init__(name)
        self.scripts = list(scripts)
        self.asked: list[Asked] = []
        self.untils: list[Deadlines] = []

    async def _generate(self, asked: Asked, until: Deadlines) -> AsyncGenerator[str | Written, None]:
        self.asked.append(asked)
        self.untils.append(until)
        by, loop = until.first_by, asyncio.get_running_loop()
        for piece in self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]:
            if isinstance(piece, Exception):
                raise piece
            if piece == HANG:
                await asyncio.sleep(by - loop.time())
                raise LlmServerLate
            yield piece
            by = until.next_by(loop.time())

    async def close(self) -> None:
        """Nothing to free."""


@dataclass
class Rig:
    """Everything but the wire."""

    providers: tuple[Scripted, ...]
    detector: ScriptedDetector = field(default_factory=ScriptedDetector)
    settings: dict[str, float | None] = field(default_factory=dict)
    alerts: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    database_away: bool = False

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        metrics = OverflowMetrics(self.registry)
        self.usage = UsageBook(cast(Database, None), lambda: NOW)
        self.offers = [
            Offer(one, ProviderSettings(name=one.name, kind="engine", **self.settings), self.usage, metrics)
            for one in self.providers
        ]
        self.rescan = Rescan(lambda: cast(Detector, self.detector))
        line = Line(places=2, per_node_max=1, waiting_max=0)
        self.answering = Answering(self.offers, line, 0.0, self.rescan, metrics, self._alert, lambda: NOW)

    async def _alert(self, node: str, types: tuple[str, ...]) -> None:
        self.alerts.append((node, types))
        if self.database_away:
            raise StoreUnavailable

    async def told(self, request: Request = REQUEST, deadline_s: float = 30.0) -> list[object]:
        await self.rescan.run()
        return [event async for event in self.answering.answer(NODE, request, deadline_s)]

    def figure(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"postern_cloud_overflow_{name}", labels)


async def test_the_first_provider_writes_and_the_others_are_not_asked() -> None:
    rig = Rig((Scripted("one", WHOLE), Scripted("two", WHOLE)), settings={"cost_per_1000_tokens": 2.0})
    assert await rig.told() == ["a", "b", End("stop", "one", 3, 2)]
    assert rig.providers[1].asked == []
    assert rig.usage.spent_micros("one") == 5 * 2_000_000 // 1000
    assert rig.figure("answers_total", provider="one", outcome="whole") == 1
    assert rig.figure("tokens_total", provider="one", kind="prompt") == 3
    assert rig.figure("tokens_total", provider="one", kind="new") == 2
    assert rig.figure("cost_total", provider="one") == pytest.approx(0.01)
    assert rig.figure("first_text_seconds_count", provider="one") == 1


@pytest.mark.parametrize(
    "error",
    [
        LlmServerUnreachable(),
        LlmServerBusy(7.0),
        LlmServerFailed("status_500"),
        LlmServerCut(),
        LlmServerLate(),
        PromptTooLong(),
        ValueError("canary"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("begun", [False, True])
async def test_whatever_becomes_of_one_the_next_goes_on(error: Exception, begun: bool) -> None:
    one = Scripted("one", ["x", error] if begun else [error])
    rig = Rig((one, Scripted("two", WHOLE)))
    told = await rig.told()
    assert told == [*(["x", Restart()] if begun else []), "a", "b", End("stop", "two", 3, 2)]
    assert rig.figure("answers_total", provider="two", outcome="whole") == 1


async def test_a_second_restart_follows_only_what_a_second_one_wrote() -> None:
    rig = Rig(
        (
            Scripted("one", ["x", LlmServerCut()]),
            Scripted("two", [LlmServerCut()]),
            Scripted("three", ["y", LlmServerCut()]),
            Scripted("four", WHOLE),
        )
    )
    told = await rig.told()
    assert told == ["x", Restart(), "y", Restart(), "a", "b", End("stop", "four", 3, 2)]


async def test_after_the_last_one_a_denial_ends_the_stream() -> None:
    rig = Rig((Scripted("one", ["x", LlmServerCut()]),))
    assert await rig.told() == ["x", Denial("failed")]
    assert rig.figure("denied_total", code="failed") == 1


@pytest.mark.parametrize(
    ("refusals", "denial"),
    [
        ([], Denial("failed")),
        ([Refusal("failed"), Refusal("busy", 9.0), Refusal("busy", 4.0)], Denial("busy", 4.0)),
        ([Refusal("busy", 1.0), Refusal("budget", 60.0)], Denial("budget", 60.0)),
        ([Refusal("too_long"), Refusal("failed")], Denial("failed")),
        ([Refusal("late"), Refusal("failed")], Denial("late")),
        ([Refusal("too_long")], Denial("too_long")),
    ],
)
def test_of_several_refusals_the_one_that_tells_most_is_told(refusals: list[Refusal], denial: Denial) -> None:
    assert denial_of(refusals) == denial


async def test_a_provider_that_fails_in_a_row_is_left_alone() -> None:
    rig = Rig((Scripted("one", [LlmServerFailed("status_500")]), Scripted("two", WHOLE)))
    for _ in range(FAILURES_MAX + 2):
        await rig.told()
    assert len(rig.providers[0].asked) == FAILURES_MAX
    assert rig.offers[0].breaker.state is BreakerState.OPEN
    assert rig.offers[0].last_error == "llm_server_failed"


@pytest.mark.parametrize(
    "error", [LlmServerFailed("status_400"), LlmServerFailed("not_finished"), PromptTooLong()]
)
async def test_what_a_prompt_brings_about_is_no_fault_of_the_provider(error: Exception) -> None:
    rig = Rig((Scripted("one", [error]),))
    for _ in range(FAILURES_MAX + 1):
        await rig.told()
    assert rig.offers[0].breaker.state is BreakerState.CLOSED


async def test_a_deadline_that_is_over_is_no_fault_of_the_provider() -> None:
    rig = Rig((Scripted("one", [LlmServerLate()]),))
    for _ in range(FAILURES_MAX + 1):
        assert await rig.told(deadline_s=0.0) == [Denial("late")]
        events = [event async for event in rig.answering._written(NODE, REQUEST.asked, LONG_AGO)]
        assert events == [Denial("late")]
    for _ in range(FAILURES_MAX + 1):
        with pytest.raises(LlmServerLate):
            async for _ in rig.offers[0].generate(NODE, REQUEST.asked, LONG_AGO):
                pass
    assert rig.offers[0].breaker.state is BreakerState.CLOSED


async def test_retry_after_is_kept_and_told() -> None:
    rig = Rig((Scripted("one", [LlmServerBusy(7.0)], WHOLE),))
    assert await rig.told() == [Denial("busy", 7.0)]
    (denial,) = await rig.told()
    assert isinstance(denial, Denial)
    assert denial.code == "busy"
    assert 6.0 < denial.retry_after_s <= 7.0
    assert len(rig.providers[0].asked) == 1


# An answer of REQUEST can cost (3 + 8) tokens at 1.0 a thousand.
@pytest.mark.parametrize(("budget", "asked"), [(0.0109, 0), (0.011, 1), (0.0111, 1), (None, 1)])
async def test_no_answer_is_begun_that_could_cost_more_than_is_left(budget: float | None, asked: int) -> None:
    assert PROMPT_TOKENS + REQUEST.max_new_tokens == 11
    settings = {"cost_per_1000_tokens": 1.0, "daily_budget": budget}
    rig = Rig((Scripted("one", WHOLE),), settings=settings)
    told = await rig.told()
    assert len(rig.providers[0].asked) == asked
    assert told[-1] == (End("stop", "one", 3, 2) if asked else Denial("budget", TO_MIDNIGHT_S))


async def test_answers_that_run_hold_their_part_of_the_budget() -> None:
    rig = Rig((Scripted("one", WHOLE),), settings={"cost_per_1000_tokens": 1.0, "daily_budget": 0.021})
    offer = rig.offers[0]
    by = asyncio.get_running_loop().time() + 30
    running = offer.generate(NODE, REQUEST.asked, Deadlines(by, by))
    await anext(running)
    assert offer.refusal(REQUEST.asked, NOW) == Refusal("budget", TO_MIDNIGHT_S)
    await running.aclose()
    assert offer.refusal(REQUEST.asked, NOW) is None
    assert rig.figure("answers_total", provider="one", outcome="left") == 1
    assert rig.usage.spent_micros("one") == (PROMPT_TOKENS + 1) * 1000


@pytest.mark.parametrize(
    ("error", "owed"),
    [
        (LlmServerUnreachable(), False),
        (LlmServerBusy(1.0), False),
        (LlmServerFailed("status_400"), False),
        (LlmServerFailed("status_499"), False),
        (LlmServerFailed("hangs"), False),
        (PromptTooLong(), False),
        (LlmServerFailed("status_500"), True),
        (LlmServerFailed("empty"), True),
        (LlmServerCut(), True),
        (LlmServerLate(), True),
    ],
    ids=str,
)
async def test_a_prompt_that_was_sent_is_owed_without_an_answer(error: Exception, owed: bool) -> None:
    rig = Rig((Scripted("one", [error]),), settings={"cost_per_1000_tokens": 1.0})
    await rig.told()
    assert rig.usage.spent_micros("one") == (PROMPT_TOKENS * 1000 if owed else 0)


async def test_a_node_that_leaves_before_the_first_words_owes_the_prompt() -> None:
    rig = Rig((Scripted("one", [HANG]),), settings={"cost_per_1000_tokens": 1.0})
    asking = asyncio.create_task(rig.told())
    while not rig.providers[0].asked:
        await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking})
    assert rig.usage.spent_micros("one") == PROMPT_TOKENS * 1000


async def test_tokens_that_nobody_counted_are_estimated() -> None:
    rig = Rig((Scripted("one", ["a", "b", "c", Written("length")]),))
    assert (await rig.told())[-1] == End("length", "one", PROMPT_TOKENS, 3)


async def test_what_names_somebody_is_refused_with_an_alert() -> None:
    rig = Rig((Scripted("one", WHOLE),))
    request = Request((("user", (Piece("I am ", False), Piece(NAME, False))),), 8)
    assert await rig.told(request) == [Denial("personal", types=("PERSON",))]
    assert rig.alerts == [(NODE, ("PERSON",))]
    rig.database_away = True
    assert await rig.told(request) == [Denial("personal", types=("PERSON",))]
    assert rig.providers[0].asked == []


async def test_an_alert_is_written_also_where_the_node_has_given_up() -> None:
    begun, hold = threading.Event(), threading.Event()

    class Slow(ScriptedDetector):
        def scan(self, texts: Sequence[str]) -> list[Finding]:
            begun.set()
            hold.wait(30)
            return super().scan(texts)

    rig = Rig((Scripted("one", WHOLE),), Slow())
    asking = asyncio.create_task(rig.told(Request((("user", (Piece(NAME, False),)),), 8)))
    assert await asyncio.to_thread(begun.wait, 30)
    asking.cancel()
    await asyncio.wait({asking})
    hold.set()
    async with asyncio.timeout(30):
        while not rig.alerts:
            await asyncio.sleep(0.001)
    assert rig.alerts == [(NODE, ("PERSON",))]
    assert rig.providers[0].asked == []


# The first one may take the time less what the next one needs, if that is no more than half; settings as they are.
@pytest.mark.parametrize(
    ("patience_s", "next_s", "first_s", "silence_s"),
    [
        (0.75, None, 0.75, 0.75),
        (0.75, 0.25, 0.5, 0.5625),
        (0.75, 0.375, 0.375, 0.5625),
        (0.75, 0.376, 0.75, 0.5625),
        (5.0, 0.3, 2.0, 3.0),
        (math.inf, 0.3, 2.0, 3.0),
    ],
)
def test_a_provider_has_the_time_that_is_of_use_to_the_node(
    patience_s: float, next_s: float | None, first_s: float, silence_s: float
) -> None:
    settings = ProviderSettings(name="one", kind="engine")
    customer = Deadlines(100.0 + min(20.0, patience_s), 120.0, patience_s)
    until = deadlines_of(settings, customer, 100.0, next_s)
    assert until.first_by == pytest.approx(100.0 + first_s)
    assert until.silence_s == pytest.approx(silence_s)
    assert until.give_up_at == 120.0


@pytest.mark.parametrize("before", [(), ("x",)])
async def test_the_next_one_is_asked_while_the_node_still_waits(before: tuple[str, ...]) -> None:
    one = Scripted("one", [*before, HANG])
    rig = Rig((one, Scripted("two", WHOLE)))
    rig.offers[1].first_text_s = 0.4  # its time, too: a loaded machine stands still for some of it
    told = await rig.told(replace(REQUEST, patience_s=1.0))
    assert told == [*(("x", Restart()) if before else ()), "a", "b", End("stop", "two", 3, 2)]
    assert rig.offers[0].breaker.state is BreakerState.CLOSED


async def test_a_single_one_that_is_later_than_the_node_waits_is_no_fault() -> None:
    rig = Rig((Scripted("one", [HANG]),))
    for _ in range(FAILURES_MAX + 1):
        assert await rig.told(replace(REQUEST, patience_s=0.01)) == [Denial("late")]
    assert rig.offers[0].breaker.state is BreakerState.CLOSED


async def test_how_long_its_first_text_takes_is_learnt() -> None:
    rig = Rig((Scripted("one", WHOLE, [HANG]),), settings={"first_text_s_max": 0.4})
    await rig.told()
    assert 0.0 < rig.offers[0].first_text_s < FIRST_TEXT_S_GUESS
    await rig.told()
    assert rig.offers[0].first_text_s >= 0.4


async def test_what_is_published_may_name_somebody() -> None:
    rig = Rig((Scripted("one", WHOLE),))
    request = Request((("system", (Piece(f"{NAME} leads it.", True), Piece(" Who?", False))),), 8)
    assert (await rig.told(request))[-1] == End("stop", "one", 3, 2)
    assert rig.providers[0].asked[0].messages == (("system", f"{NAME} leads it. Who?"),)


@pytest.mark.parametrize("change", [{"complete": False}, {"failing": True}])
async def test_without_a_working_detector_nobody_is_asked(change: dict[str, bool]) -> None:
    rig = Rig((Scripted("one", WHOLE),), ScriptedDetector(**change))
    assert await rig.told() == [Denial("failed")]
    assert rig.providers[0].asked == []


async def test_a_line_that_is_full_is_said_with_a_time() -> None:
    rig = Rig((Scripted("one", WHOLE),))
    await rig.rescan.run()
    running = rig.answering.answer(NODE, REQUEST, 30.0)
    await anext(running)
    (denial,) = await rig.told()
    assert isinstance(denial, Denial)
    assert denial.code == "busy"
    assert denial.retry_after_s >= 1
    await running.aclose()
    assert (await rig.told())[-1] == End("stop", "one", 3, 2)
