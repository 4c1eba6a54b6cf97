"""One provider after the other: before the first text in time for the next, after a cut from the beginning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from core.errors import PosternError
from edge.chat import relay as relay_module
from edge.chat.relay import (
    FAILURES_MAX,
    RETRY_AFTER_S_MAX,
    Asked,
    FirstTextLate,
    Lost,
    Relay,
    TextStalled,
)
from edge.egress.handover import TextRefused
from edge.egress.overflow_errors import (
    OverflowBusy,
    OverflowCut,
    OverflowDenied,
    OverflowLate,
    OverflowRefused,
    OverflowUnreachable,
)
from edge.inference.conversation import Begun, Message, Provider
from edge.inference.worker_client import GenerationFailed, WorkerBusy, WorkerDied, WorkerUnreachable
from models.errors import PromptTooLong

OWN, LAN, CLOUD = Provider.OWN, Provider.LAN, Provider.CLOUD
SILENT = None
UNREACHABLE = WorkerUnreachable()
"""A fault, and nobody asked to be left alone."""


@dataclass
class Scripted:
    """Says `pieces`; raises what stands among them, and says nothing more from None on."""

    pieces: Sequence[str | Begun | PosternError | None] = ("one ", "two")
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
                elif isinstance(piece, PosternError):
                    raise piece
                else:
                    yield piece
        finally:
            self.closed += 1


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


async def test_who_writes_is_said_before_the_text() -> None:
    own, cloud = Scripted(), Scripted()
    assert await told(relay(own=own, cloud=cloud), OWN, CLOUD) == ([Begun(OWN), "one ", "two"], None)
    assert (len(own.asked), len(cloud.asked)) == (1, 0)


@pytest.mark.parametrize("error", [WorkerDied(), WorkerUnreachable(), WorkerBusy("", 1.0), TextRefused()])
async def test_a_failure_before_the_first_text_goes_to_the_next(error: PosternError) -> None:
    code = "refused" if isinstance(error, TextRefused) else error.code
    made = relay(own=Scripted((error,)), cloud=Scripted())
    assert await told(made, OWN, CLOUD) == ([Lost(OWN, code), Begun(CLOUD), "one ", "two"], None)


async def test_a_cut_is_followed_from_the_beginning() -> None:
    made = relay(own=Scripted(("one ", WorkerDied())), cloud=Scripted())
    events = [Begun(OWN), "one ", Lost(OWN, WorkerDied.code), Begun(CLOUD), "one ", "two"]
    assert await told(made, OWN, CLOUD) == (events, None)


async def test_when_all_are_lost_the_last_error_is_raised() -> None:
    last = GenerationFailed("bad_request", "")
    made = relay(own=Scripted(("one ", WorkerDied())), cloud=Scripted((last,)))
    events, error = await told(made, OWN, CLOUD)
    assert events == [Begun(OWN), "one ", Lost(OWN, WorkerDied.code), Lost(CLOUD, last.code)]
    assert error is last


async def test_silence_before_the_first_text_leaves_the_next_one_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "HANDOVER_S", 0.2)  # of a machine that is busy with other tests
    own, cloud = Scripted((SILENT,)), Scripted(first_text_s=0.02)
    events, error = await told(relay(own=own, cloud=cloud), OWN, CLOUD, wanted=asked(first_s=0.5))
    assert (events, error) == ([Lost(OWN, FirstTextLate.code), Begun(CLOUD), "one ", "two"], None)
    assert own.closed == 1


async def test_a_next_one_that_needs_more_than_half_of_the_time_is_not_worth_leaving_the_first_for() -> None:
    cloud = Scripted(first_text_s=0.06)
    made = relay(own=Scripted((SILENT,)), cloud=cloud)
    events, error = await told(made, OWN, CLOUD, wanted=asked(first_s=0.1))
    assert (events, cloud.asked) == ([Lost(OWN, FirstTextLate.code)], [])
    assert isinstance(error, FirstTextLate)


@pytest.mark.parametrize(("next_s", "first_s"), [(0.0, 60.0), (0.05, 60.0), (0.06, 0.4)])
async def test_one_that_is_not_heard_soon_is_left_for_one_that_would_be(
    next_s: float, first_s: float
) -> None:
    """Later than the hurry: whoever is asked keeps its time, and the test would take its 60 s."""
    own, cloud = Scripted((SILENT,)), Scripted(first_text_s=next_s)
    wanted = asked(first_s=first_s, hurry_s=0.05)
    events, _ = await told(relay(own=own, cloud=cloud), OWN, CLOUD, wanted=wanted)
    assert events[:2] == [Lost(OWN, FirstTextLate.code), Begun(CLOUD)]


async def test_silence_in_the_middle_is_a_cut() -> None:
    made = relay(own=Scripted(("one ", SILENT)), cloud=Scripted())
    events, error = await told(made, OWN, CLOUD, wanted=asked(silence_s=0.01))
    assert events[:3] == [Begun(OWN), "one ", Lost(OWN, TextStalled.code)]
    assert (events[3], error) == (Begun(CLOUD), None)


async def test_nothing_goes_on_past_the_whole_answers_deadline() -> None:
    cloud = Scripted(first_text_s=0.2)
    made = relay(own=Scripted(("one ", SILENT)), cloud=cloud)
    events, error = await told(made, OWN, CLOUD, wanted=asked(first_s=0.05, whole_s=0.1))
    assert events == [Begun(OWN), "one ", Lost(OWN, TextStalled.code)]
    assert isinstance(error, TextStalled)
    assert not cloud.asked


async def test_the_deadline_that_is_passed_on_is_what_is_left() -> None:
    own, cloud = Scripted((WorkerDied(),)), Scripted()
    await told(relay(own=own, cloud=cloud), OWN, CLOUD, wanted=asked(whole_s=20.0))
    assert 0 < cloud.asked[0] <= own.asked[0] <= 20.0


async def test_one_that_is_down_meanwhile_is_not_asked() -> None:
    lan, cloud = Scripted(ready=False), Scripted()
    made = relay(own=Scripted((WorkerDied(),)), lan=lan, cloud=cloud)
    assert (await told(made, OWN, LAN, CLOUD))[0][:2] == [Lost(OWN, WorkerDied.code), Begun(CLOUD)]
    assert not lan.asked


async def test_one_that_begins_anew_by_itself_says_so_only_after_text() -> None:
    pieces = (Begun(CLOUD), "one ", Begun(CLOUD), "one ", "two")
    events, _ = await told(relay(cloud=Scripted(pieces)), CLOUD)
    assert events == [Begun(CLOUD), "one ", Begun(CLOUD), "one ", "two"]


async def test_a_prompt_that_is_too_long_is_nobodys_fault() -> None:
    made = relay(own=Scripted((GenerationFailed(PromptTooLong.code, ""),)), cloud=Scripted())
    events, error = await told(made, OWN, CLOUD)
    assert events == []
    assert isinstance(error, PromptTooLong)
    assert all(prospect.usable for prospect in made.prospects())


@pytest.mark.parametrize(
    ("says_s", "left_alone"), [(0.0, False), (30.0, True), (2 * RETRY_AFTER_S_MAX, True)]
)
async def test_who_asks_to_be_left_alone_is(says_s: float, left_alone: bool) -> None:
    made = relay(own=Scripted((WorkerBusy("", says_s),)), cloud=Scripted())
    await told(made, OWN, CLOUD)
    assert [prospect.usable for prospect in made.prospects()] == [not left_alone, True]


async def test_closing_it_stops_who_writes() -> None:
    own = Scripted(("one ", SILENT))
    async with aclosing(relay(own=own).generate(asked(), [OWN])) as pieces:
        assert [await anext(pieces), await anext(pieces)] == [Begun(OWN), "one "]
        assert not own.closed
    assert own.closed == 1


async def test_prospects_are_what_each_says_of_itself() -> None:
    made = relay(own=Scripted(first_text_s=3.0), cloud=Scripted(ready=False, first_text_s=0.4))
    assert [(one.provider, one.usable, one.first_text_s) for one in made.prospects()] == [
        (OWN, True, 3.0),
        (CLOUD, False, 0.4),
    ]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A breaker that lets one try almost at once."""
    monkeypatch.setattr(relay_module, "OPEN_S", 0.01)


async def fail(made: Relay, times: int) -> None:
    for _ in range(times):
        assert (await told(made, OWN))[1] is not None


@pytest.mark.parametrize(("times", "usable"), [(FAILURES_MAX - 1, True), (FAILURES_MAX, False)])
async def test_one_that_fails_again_and_again_is_left_alone(times: int, usable: bool) -> None:
    made = relay(own=Scripted((UNREACHABLE,)), cloud=Scripted())
    await fail(made, times)
    assert [one.usable for one in made.prospects()] == [usable, True]
    assert (await told(made, OWN, CLOUD))[0][0] == (Lost(OWN, UNREACHABLE.code) if usable else Begun(CLOUD))


@pytest.mark.parametrize(
    "error", [TextRefused(), WorkerBusy("", 0.0), GenerationFailed(PromptTooLong.code, "")]
)
async def test_what_is_no_fault_of_the_provider_opens_nothing(error: PosternError) -> None:
    made = relay(own=Scripted((error,)))
    await fail(made, FAILURES_MAX)
    assert made.prospects()[0].usable


@pytest.mark.parametrize("busy", [True, False])
async def test_late_is_a_fault_only_of_one_that_nobody_hears(busy: bool) -> None:
    own = Scripted((SILENT,))
    made = relay(own=own)
    for _ in range(FAILURES_MAX):
        late = asyncio.create_task(told(made, OWN, wanted=asked(first_s=0.05)))
        await asyncio.sleep(0)
        if busy:  # with somebody else's answer
            own.pieces = ("one",)
            await told(made, OWN)
            own.pieces = (SILENT,)
        assert isinstance((await late)[1], FirstTextLate)
    assert made.prospects()[0].usable is busy


async def test_a_reader_who_leaves_after_text_counts_as_a_success() -> None:
    own = Scripted((UNREACHABLE,))
    made = relay(own=own)
    await fail(made, FAILURES_MAX - 1)
    own.pieces = ("one ", SILENT)
    async with aclosing(made.generate(asked(), [OWN])) as pieces:
        assert await anext(pieces) == Begun(OWN)
    own.pieces = (UNREACHABLE,)
    await fail(made, FAILURES_MAX - 1)
    assert made.prospects()[0].usable


@pytest.mark.parametrize(
    ("error", "left_alone"),
    [
        (OverflowBusy(30.0), True),
        (OverflowDenied("busy", retry_after_s=30.0), True),
        (OverflowDenied("budget", retry_after_s=9999.0), True),
        (OverflowDenied("not_offered"), True),
        (OverflowDenied("failed"), False),
        (OverflowDenied("personal"), False),
        (OverflowRefused("mac"), False),
        (OverflowLate(), False),
        (OverflowCut(), False),
        (OverflowUnreachable(), False),
    ],
)
async def test_what_the_control_plane_asks_for(error: PosternError, left_alone: bool) -> None:
    made = relay(cloud=Scripted((error,)))
    assert (await told(made, CLOUD))[1] is error
    assert made.prospects()[0].usable is not left_alone


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (OverflowLate(), True),
        (OverflowCut(), True),
        (OverflowUnreachable(), True),
        (OverflowDenied("failed"), True),
        (OverflowDenied("personal"), False),
        (OverflowRefused("size"), False),
    ],
)
async def test_what_is_the_control_planes_fault(error: PosternError, fault: bool) -> None:
    made = relay(cloud=Scripted((error,)))
    for _ in range(FAILURES_MAX):
        await told(made, CLOUD)
    assert made.prospects()[0].usable is not fault
    assert made.left_alone(CLOUD) == ("open" if fault else "")


async def test_a_prompt_too_long_for_the_control_plane_is_asked_again_with_less() -> None:
    made = relay(cloud=Scripted((OverflowDenied("too_long"),)))
    assert isinstance((await told(made, CLOUD))[1], PromptTooLong)
    assert made.prospects()[0].usable


@pytest.mark.usefixtures("soon")
async def test_a_trial_takes_half_of_the_time_and_one_customer_at_most() -> None:
    own, cloud = Scripted((UNREACHABLE,)), Scripted()
    made = relay(own=own, cloud=cloud)
    await fail(made, FAILURES_MAX)
    while not made.prospects()[0].usable:
        await asyncio.sleep(0.001)
    own.pieces = (SILENT,)
    trial = asyncio.create_task(told(made, OWN, CLOUD, wanted=asked(first_s=0.4)))
    while len(own.asked) == FAILURES_MAX:
        await asyncio.sleep(0)
    assert not made.prospects()[0].usable  # nobody else tries
    assert (await told(made, OWN, CLOUD))[0][0] == Begun(CLOUD)
    events, error = await trial
    assert (events[:2], error) == ([Lost(OWN, FirstTextLate.code), Begun(CLOUD)], None)


@pytest.mark.usefixtures("soon")
async def test_a_trial_that_succeeds_closes_the_breaker() -> None:
    own = Scripted((UNREACHABLE,))
    made = relay(own=own)
    await fail(made, FAILURES_MAX)
    while not made.prospects()[0].usable:
        await asyncio.sleep(0.001)
    own.pieces = ("one",)
    assert await told(made, OWN) == ([Begun(OWN), "one"], None)
    own.pieces = (UNREACHABLE,)
    await fail(made, FAILURES_MAX - 1)
    assert made.prospects()[0].usable
