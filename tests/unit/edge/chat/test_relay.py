"""One provider after the other: before the first text in time for the next, after a cut from the beginning."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from core.completions.errors import LlmServerBusy
from core.errors import PosternError
from edge.chat.relay import (
    RETRY_AFTER_S_MAX,
    FirstTextLate,
    Lost,
    TextStalled,
)
from edge.egress.text.handover import TextRefused
from edge.inference.conversation import Begun
from edge.inference.worker_client import GenerationFailed, WorkerBusy, WorkerDied, WorkerUnreachable
from models.errors import PromptTooLong
from tests.unit.edge.chat.relay_rig import CLOUD, LAN, OWN, SILENT, Scripted, asked, relay, skip_waiting, told


@pytest.fixture(autouse=True)
async def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    skip_waiting(monkeypatch)


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


async def test_silence_before_the_first_text_leaves_the_next_one_its_time() -> None:
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
    """Later than the hurry."""
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
    made = relay(lan=Scripted((LlmServerBusy(says_s),)), cloud=Scripted())
    await told(made, LAN, CLOUD)
    assert [prospect.usable for prospect in made.prospects()] == [not left_alone, True]


async def test_a_line_that_is_full_for_one_caller_is_not_for_the_others() -> None:
    made = relay(own=Scripted((WorkerBusy("", 30.0),)))
    await told(made, OWN)
    assert made.prospects()[0].usable


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
