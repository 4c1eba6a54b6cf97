"""What is a provider's fault, who is left alone for it, and how it comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from core.errors import PosternError
from edge.chat import relay as relay_module
from edge.chat.relay import (
    FAILURES_MAX,
    HANDOVER_S,
    OPEN_S,
    Asked,
    FirstTextLate,
    Lost,
    Relay,
)
from edge.egress.overflow.errors import (
    OverflowBusy,
    OverflowCut,
    OverflowDenied,
    OverflowLate,
    OverflowRefused,
    OverflowUnreachable,
)
from edge.egress.text.handover import TextRefused
from edge.inference.conversation import Begun, Provider
from edge.inference.worker_client import GenerationFailed, WorkerBusy, WorkerDied
from models.errors import PromptTooLong
from tests.unit.edge.chat.relay_rig import (
    CLOUD,
    LAN,
    OWN,
    SILENT,
    UNREACHABLE,
    Scripted,
    asked,
    relay,
    skip_waiting,
    told,
)


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


@pytest.fixture
async def passes(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The event loop's clock stands, but for the seconds that a test lets pass."""
    loop = asyncio.get_running_loop()
    now = [loop.time()]
    monkeypatch.setattr(loop, "time", lambda: now[0])

    def add(seconds: float) -> None:
        now[0] += seconds

    return add


async def waited(
    made: Relay,
    own: Scripted,
    passes: Callable[[float], None],
    seconds: float,
    wanted: Asked,
    *then: Provider,
) -> tuple[list[object], PosternError | None]:
    """As `told`, of one who asks OWN and then the others, once so many seconds have passed."""
    before = len(own.asked)
    asking = asyncio.create_task(told(made, OWN, *then, wanted=wanted))
    while len(own.asked) == before:
        await asyncio.sleep(0)
    passes(seconds)
    return await asking


@pytest.mark.parametrize("heard", ["by another customer", "by a program", ""])
async def test_late_is_a_fault_only_of_one_that_nobody_hears(
    passes: Callable[[float], None], heard: str
) -> None:
    own, made, told_program = Scripted((SILENT,)), Relay(), [0.0]
    made.join(OWN, own, heard_at=lambda: told_program[0])
    for _ in range(FAILURES_MAX):
        late = asyncio.create_task(told(made, OWN))
        await asyncio.sleep(0)
        if heard == "by another customer":
            own.pieces = ("one",)
            await told(made, OWN)
            own.pieces = (SILENT,)
        elif heard:
            told_program[0] = asyncio.get_running_loop().time()
        passes(5.0)
        assert isinstance((await late)[1], FirstTextLate)
    assert made.prospects()[0].usable is bool(heard)


async def test_one_that_had_no_time_is_not_asked(passes: Callable[[float], None]) -> None:
    own = Scripted()
    events, error = await told(relay(own=own), OWN, wanted=asked(first_s=0.0))
    assert (events, own.asked) == ([], [])
    assert isinstance(error, FirstTextLate)


@pytest.mark.parametrize(("first_s", "fault"), [(HANDOVER_S, False), (3 * HANDOVER_S, True)])
async def test_late_is_no_fault_of_one_that_had_hardly_any_time(
    passes: Callable[[float], None], first_s: float, fault: bool
) -> None:
    own = Scripted((SILENT,))
    made = relay(own=own)
    for _ in range(FAILURES_MAX):
        await waited(made, own, passes, first_s, asked(first_s=first_s))
    assert made.prospects()[0].usable is not fault


async def test_one_that_was_left_for_a_sooner_one_stands_behind_it_and_is_not_at_fault(
    passes: Callable[[float], None],
) -> None:
    own = Scripted((SILENT,))
    made = relay(own=own, cloud=Scripted(first_text_s=0.3))
    for _ in range(FAILURES_MAX):
        events, _ = await waited(made, own, passes, 0.41, asked(first_s=0.8, hurry_s=0.4), CLOUD)
        assert events[:2] == [Lost(OWN, FirstTextLate.code), Begun(CLOUD)]
    assert made.prospects()[0].usable
    assert made.left_alone(OWN) == ""
    assert made.prospects()[0].first_text_s == pytest.approx(0.6)  # between 0.4 and 0.8
    passes(OPEN_S)
    assert made.prospects()[0].first_text_s == 0.0


async def test_a_prompt_too_long_for_whoever_follows_a_cut_is_a_loss() -> None:
    long = GenerationFailed(PromptTooLong.code, "")
    made = relay(own=Scripted(("one ", WorkerDied())), cloud=Scripted((long,)))
    events, error = await told(made, OWN, CLOUD)
    assert events == [Begun(OWN), "one ", Lost(OWN, WorkerDied.code), Lost(CLOUD, PromptTooLong.code)]
    assert isinstance(error, WorkerDied)


@pytest.mark.parametrize(("provider", "reason"), [(OWN, "not_running"), (LAN, ""), (CLOUD, "")])
async def test_a_worker_that_is_not_there_is_told(provider: Provider, reason: str) -> None:
    made = relay(**{provider: Scripted(ready=False)})
    assert made.left_alone(provider) == reason


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
async def test_a_trial_takes_half_of_the_time_and_one_customer_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    skip_waiting(monkeypatch)
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


async def half_open(made: Relay, own: Scripted) -> None:
    """It has failed, and may be tried."""
    own.pieces = (UNREACHABLE,)
    await fail(made, FAILURES_MAX)
    while not made.prospects()[0].usable:
        await asyncio.sleep(0)  # the breaker has a clock of its own


@pytest.mark.usefixtures("soon")
async def test_a_trial_has_all_the_time_where_nobody_else_is_there(passes: Callable[[float], None]) -> None:
    own, comes = Scripted(), asyncio.Event()
    made = relay(own=own)
    await half_open(made, own)
    own.pieces = (comes, "one")
    trial = asyncio.create_task(told(made, OWN, wanted=asked(first_s=5.0)))
    while len(own.asked) == FAILURES_MAX:
        await asyncio.sleep(0)
    passes(4.0)
    for _ in range(3):  # whatever is due now
        await asyncio.sleep(0)
    comes.set()
    assert await trial == ([Begun(OWN), "one"], None)
    assert made.left_alone(OWN) == ""


@pytest.mark.usefixtures("soon")
async def test_a_trial_that_was_cut_short_tells_nothing(passes: Callable[[float], None]) -> None:
    own = Scripted()
    made = relay(own=own, cloud=Scripted())
    await half_open(made, own)
    own.pieces = (SILENT,)
    await waited(made, own, passes, 2.6, asked(first_s=5.0), CLOUD)
    assert made.left_alone(OWN) == "half_open"
    await waited(made, own, passes, 5.0, asked(first_s=5.0))
    assert made.left_alone(OWN) == "open"


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
