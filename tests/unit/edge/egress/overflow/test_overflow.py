"""A text to the control plane's language model and its answer back: what goes, what comes, and whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from core.errors import PosternError
from edge import metrics
from edge.chat.session import Session
from edge.egress import envelope
from edge.egress.envelope import Envelope
from edge.egress.metrics import RECOGNISED
from edge.egress.overflow.alert import SAID_S, OverflowAlert
from edge.egress.overflow.client import Ended, Reply, Restarted, Text
from edge.egress.overflow.errors import (
    OverflowBusy,
    OverflowCut,
    OverflowDenied,
    OverflowLate,
    OverflowUnreachable,
)
from edge.egress.overflow.overflow import Overflow
from edge.egress.overflow.request import packed
from edge.egress.text.answer_stream import ANSWER_CHARS_MAX
from edge.egress.text.handover import Admitted, Handover, TextRefused
from edge.inference import first_text
from edge.inference.conversation import Begun, Message, Piece, Provider
from edge.inference.first_text import GUESS_S
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from edge.store import audit
from edge.store.audit import AuditFilter
from models.detect.spans import Span
from postern.v1.overflow_pb2 import GenerateRequest
from tests.unit.edge.egress.text.guard_rig import KEY, QUESTION, GuardRig

END = Ended("stop", "here", 10, 5)
NAME = "Anna Miller"
ASKED = "I am Anna Miller. When is the office open on Saturday?"
PASSAGE = "The office is open on Saturday from nine."

Answers = Callable[[GenerateRequest], Sequence[Reply | PosternError]]


@dataclass
class ScriptedClient:
    """The way there; answers as a test says, and keeps what was sent."""

    answers: Answers = lambda request: [Text("From nine."), END]
    ready: bool = True
    reason: str = ""
    sent: list[Envelope] = field(default_factory=list)
    closed: int = 0
    hangs: bool = False

    async def generate(self, envelope: Envelope, *, deadline_s: float) -> AsyncGenerator[Reply, None]:
        self.sent.append(envelope)
        try:
            for reply in self.answers(GenerateRequest.FromString(envelope.payload)):
                if isinstance(reply, PosternError):
                    raise reply
                yield reply
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            self.closed += 1

    @property
    def bytes(self) -> bytes:
        return b"\n".join(one.payload for one in self.sent)


@dataclass
class Rig:
    guard: GuardRig
    client: ScriptedClient
    overflow: Overflow
    session: str
    clock: list[float]

    async def ask(self, question: str = ASKED, *, deadline_s: float = 20.0) -> list[str | Begun]:
        found: list[str | Begun] = []
        async with aclosing(
            self.overflow.generate(
                messages(question), max_new_tokens=64, deadline_s=deadline_s, about=self.session
            )
        ) as pieces:
            async for piece in pieces:
                found.append(piece)
        return found


def messages(question: str) -> list[Message]:
    return [
        Message("system", (Piece("You are a desk.", published=True),)),
        Message(
            "user", (Piece(PASSAGE, published=True), Piece(question), Piece("</question>", published=True))
        ),
    ]


@pytest.fixture
def over(rig: GuardRig, session: Session) -> Rig:
    """With a guard and a store."""
    client, clock = ScriptedClient(), [0.0]
    alert = OverflowAlert(rig.store, lambda: clock[0])
    return Rig(rig, client, Overflow(client, rig.guard.admit, alert, 5.0), session.id, clock)


@pytest.fixture
def way() -> Rig:
    """Without: what streams is the same whoever let it out."""

    async def admit(asked: Handover, within_s: float) -> Admitted:
        pseudonyms = Pseudonyms(Scope("test", asked.session, asked.purpose))
        texts = [part.text for part in asked.parts]
        spans = [
            [Span("PERSON", text.index(NAME), text.index(NAME) + len(NAME), 0.9)] if NAME in text else []
            for text in texts
        ]
        masked = [pseudonyms.mask(text, found) for text, found in zip(texts, spans, strict=True)]
        sealed = Envelope(b"i", envelope.Purpose.OVERFLOW, "generate", packed(asked, masked))
        return Admitted(tuple(masked), sealed, pseudonyms if any(spans) else None)

    client = ScriptedClient()
    alert = OverflowAlert(None)  # type: ignore[arg-type]
    return Rig(None, client, Overflow(client, admit, alert, 5.0), "s", [0.0])  # type: ignore[arg-type]


def token_in(request: GenerateRequest) -> str:
    """The mark in the place of the customer's name."""
    text = request.messages[1].pieces[1].text
    return text[text.index("[PERSON_") : text.index("]") + 1]


# --- what goes, and what comes ---


@pytest.mark.proves("pseudonyms")
async def test_marks_go_and_values_come_back(over: Rig) -> None:
    def answers(request: GenerateRequest) -> list[Reply]:
        token = token_in(request)
        return [Text(f"Dear {token[:9]}"), Text(f"{token[9:]}, from"), Text(" nine."), END]

    over.client.answers = answers
    assert "".join(map(str, await over.ask())) == "Dear Anna Miller, from nine."
    (sent,) = over.client.sent
    assert envelope.verify(sent, KEY)
    assert b"Miller" not in sent.payload
    request = GenerateRequest.FromString(sent.payload)
    assert [message.role for message in request.messages] == ["system", "user"]
    assert [piece.published for piece in request.messages[1].pieces] == [True, False, True]
    assert request.max_new_tokens == 64
    assert request.patience_ms == 5000


async def test_a_text_of_nobody_goes_and_comes_as_it_is(way: Rig) -> None:
    way.client.answers = lambda _: [Text("From "), Text("nine."), END]
    assert await way.ask(QUESTION) == ["From ", "nine."]


async def test_another_provider_begins_anew_and_what_was_held_back_is_forgotten(way: Rig) -> None:
    def answers(request: GenerateRequest) -> list[Reply]:
        token = token_in(request)
        return [Text(f"Dear {token[:9]}"), Restarted(), Text(f"For {token}: from nine."), END]

    way.client.answers = answers
    found = await way.ask()
    assert found == ["Dear ", Begun(Provider.CLOUD), "For Anna Miller: from nine."]


async def test_what_may_still_become_a_mark_is_shown_at_the_end(way: Rig) -> None:
    way.client.answers = lambda _: [Text("At desk [PERS"), END]
    assert "".join(map(str, await way.ask())) == "At desk [PERS"


async def test_whoever_stops_reading_ends_the_request(way: Rig) -> None:
    way.client.answers, way.client.hangs = lambda _: [Text("From nine.")], True
    pieces = way.overflow.generate(messages(QUESTION), max_new_tokens=64, deadline_s=20.0, about=way.session)
    assert await anext(pieces) == "From nine."
    await pieces.aclose()
    assert way.client.closed == 1


# --- what goes wrong ---


@pytest.mark.parametrize("length", [ANSWER_CHARS_MAX - 1, ANSWER_CHARS_MAX, ANSWER_CHARS_MAX + 1])
async def test_an_answer_has_an_end(way: Rig, length: int) -> None:
    way.client.answers = lambda _: [Text("x" * (length - 1)), Text("y"), END]
    if length <= ANSWER_CHARS_MAX:
        assert len("".join(map(str, await way.ask(QUESTION)))) == length
    else:
        with pytest.raises(OverflowCut):
            await way.ask(QUESTION)


@pytest.mark.parametrize(
    "error",
    [OverflowUnreachable(), OverflowBusy(3.0), OverflowLate(), OverflowCut(), OverflowDenied("budget")],
)
async def test_errors_of_the_way_are_raised_as_they_are(way: Rig, error: PosternError) -> None:
    way.client.answers = lambda _: [Text("From"), error]
    with pytest.raises(type(error)):
        await way.ask(QUESTION)
    assert way.client.closed == 1


async def test_a_stream_that_ends_without_an_end_is_no_answer(way: Rig) -> None:
    way.client.answers = lambda _: [Text("From nine.")]
    with pytest.raises(OverflowCut):
        await way.ask(QUESTION)


@pytest.mark.parametrize("before", [[], [Restarted()]])
async def test_the_first_text_has_a_deadline_of_its_own(way: Rig, before: list[Reply]) -> None:
    way.client.answers, way.client.hangs = lambda _: before, True
    with pytest.raises(OverflowLate):
        await way.ask(QUESTION, deadline_s=0.05)
    assert way.client.closed == 1


async def test_how_long_the_first_text_takes_is_told_from_the_last_ones(way: Rig) -> None:
    assert way.overflow.first_text_s == GUESS_S
    await way.ask(QUESTION)
    assert way.overflow.first_text_s < GUESS_S


async def test_one_that_nobody_waits_for_any_more_was_late(way: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_text, "GUESS_S", 0.01)
    way.client.answers, way.client.hangs = lambda _: [], True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(way.ask(QUESTION, deadline_s=9.0), 0.1)
    assert way.overflow.first_text_s > 0.01


def test_it_is_ready_when_the_way_is_open(way: Rig) -> None:
    way.client.ready, way.client.reason = False, "unreachable"
    assert (way.overflow.ready, way.overflow.reason) == (False, "unreachable")


# --- nothing goes ---


async def refused(over: Rig, question: str = ASKED) -> None:
    with pytest.raises(TextRefused):
        await over.ask(question)
    assert not over.client.sent


@pytest.mark.proves("policy")
async def test_what_the_policy_refuses_is_not_sent(over: Rig) -> None:
    await refused(over, "Where do I go with my diabetes on the weekend?")
    await refused(over, QUESTION)  # it sticks


@pytest.mark.proves("consent")
async def test_without_consent_nothing_is_sent(over: Rig) -> None:
    over.session = (await over.guard.session(consent=False)).id
    await refused(over)


async def test_a_used_up_budget_sends_nothing(over: Rig) -> None:
    await over.ask(QUESTION)
    size = len(over.client.bytes)
    policy = over.guard.paths.policy.read_text()
    over.guard.sign(policy.replace("bytes_per_session = 1_000", f"bytes_per_session = {2 * size}", 1))
    await over.ask(QUESTION)
    over.client.sent.clear()
    await refused(over, QUESTION)


@pytest.mark.proves("policy")
@pytest.mark.parametrize("fault", ["policy_gone", "detector_garbage", "detector_fails", "store_full"])
async def test_a_guard_that_cannot_work_sends_nothing(
    over: Rig, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: object) -> object:
        raise OSError(28, "No space left on device")

    match fault:
        case "policy_gone":
            over.guard.paths.policy.unlink()
        case "detector_garbage":
            over.guard.scans.does = lambda texts: [None] * len(texts)
        case "detector_fails":
            over.guard.scans.does = lambda _: 1 / 0
        case "store_full":
            monkeypatch.setattr(over.guard.store, "write", full)
    await refused(over)


# --- what the control plane recognises ---


async def rows(over: Rig) -> list[tuple[str, str, str, str]]:
    found = await over.guard.store.read(lambda db: audit.search(db, AuditFilter(action="overflow"), 10))
    return [(row.actor, row.action, row.object, row.outcome) for row in found]


@pytest.mark.proves("policy")
async def test_what_the_control_plane_recognises_is_an_alert_here(
    over: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    counted = RECOGNISED.labels("PHONE")._value.get()
    over.client.answers = lambda _: [OverflowDenied("personal", ["PHONE", "PERSON", "call Anna Miller"])]
    with pytest.raises(OverflowDenied):
        await over.ask(QUESTION)
    assert await rows(over) == [("control-plane", "overflow.personal", "OTHER PERSON PHONE", "refused")]
    assert "text_guard:personal_recognised" in metrics.fallbacks()
    assert RECOGNISED.labels("PHONE")._value.get() == counted + 1
    assert "Miller" not in caplog.text
    over.clock[0] = SAID_S
    assert "text_guard:personal_recognised" not in metrics.fallbacks()


async def test_what_it_recognised_sticks_to_the_conversation(over: Rig) -> None:
    policy = over.guard.paths.policy.read_text()
    over.guard.sign(policy.replace('special = "refuse"', 'special = "refuse"\nsticky_from = "personal"', 1).replace(
        'personal = "redact"', 'personal = "refuse"', 1
    ))  # fmt: skip
    await over.ask(QUESTION)
    over.client.answers = lambda _: [OverflowDenied("personal", ["PERSON"])]
    with pytest.raises(OverflowDenied):
        await over.ask(QUESTION)
    with pytest.raises(TextRefused, match="policy_sticky_from"):
        await over.ask(QUESTION)
    assert isinstance(await over.guard.ask(await over.guard.session()), Admitted)


@pytest.mark.parametrize("reason", ["personal", "budget", "too_long", "failed", "not_offered"])
def test_why_it_was_denied_is_told(reason: str) -> None:
    assert OverflowDenied(reason).reason == reason


def test_a_reason_that_this_release_does_not_know_is_not_repeated() -> None:
    denied = OverflowDenied("call Anna Miller")
    assert denied.reason == "other"
    assert "Miller" not in str(denied)


async def test_other_denials_are_no_alert(over: Rig) -> None:
    over.client.answers = lambda _: [OverflowDenied("budget")]
    with pytest.raises(OverflowDenied):
        await over.ask(QUESTION)
    assert await rows(over) == []


async def test_an_alert_is_said_where_it_cannot_be_written(
    over: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def full(_: object) -> object:
        raise OSError(28, "Anna Miller")

    over.client.answers = lambda _: [OverflowDenied("personal", ["PERSON"])]
    admit = over.guard.guard.admit

    async def admit_then_full(*asked: object) -> object:
        found = await admit(*asked)  # type: ignore[arg-type]
        monkeypatch.setattr(over.guard.store, "write", full)
        return found

    over.overflow._admit = admit_then_full  # type: ignore[assignment]
    with pytest.raises(OverflowDenied):
        await over.ask(QUESTION)
    assert "text_guard:personal_recognised" in metrics.fallbacks()
    assert "Miller" not in caplog.text
