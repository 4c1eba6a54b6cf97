"""Text goes only where every step says so; whatever goes wrong keeps it here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from core.errors import PosternError
from edge.chat.session import Session
from edge.egress import envelope, metrics
from edge.egress.courier.inspection import refusal_of
from edge.egress.envelope import ENVELOPE_BYTES_MAX
from edge.egress.text import guard as text_guard
from edge.egress.text import looking
from edge.egress.text.handover import Admitted, Handover, Part, Source, TextRefusal
from edge.knowledge.document import Audience
from edge.privacy.policy import Documents, Purpose, parse
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from edge.privacy.pseudonyms.vault import Vault
from edge.store import text_uses
from edge.store.store import StoreBusy
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.marks import without_marks
from models.detect.spans import Span
from postern.v1.overflow_pb2 import GenerateRequest, OverflowMessage, OverflowPiece
from tests.unit.edge.egress.text.guard_rig import (
    KEY,
    NOW,
    POLICY,
    QUESTION,
    GuardRig,
    handover,
    of_label,
    reason_of,
)

PERSONAL = "My name is Anna Miller, please call me on 020 7946 0958 about my appointment."


def texts(found: Admitted | TextRefusal) -> tuple[str, ...]:
    assert isinstance(found, Admitted), found
    return found.parts


# --- what goes ---


async def test_a_public_question_goes_as_it_is_and_sealed(rig: GuardRig, session: Session) -> None:
    found = await rig.ask(session)
    assert isinstance(found, Admitted)
    assert found.parts == (QUESTION,)
    assert found.envelope is not None
    assert envelope.verify(found.envelope, KEY)
    assert found.envelope.purpose is envelope.Purpose.OVERFLOW
    assert found.envelope.kind == "generate"
    request = GenerateRequest.FromString(found.envelope.payload)
    assert request.max_new_tokens == 64
    (message,) = request.messages
    assert message.role == "user"
    assert [(piece.text, piece.published) for piece in message.pieces] == [(QUESTION, False)]


async def test_values_are_replaced_wherever_they_stand(rig: GuardRig, session: Session) -> None:
    passage = "Patients such as ANNA  MILLER ring 020 7946 0958. Anna Millerton is somebody else."
    found = await rig.ask(session, f"{PERSONAL} It is Anna Miller!", passage)
    one, other = texts(found)
    assert "Miller," not in one
    assert "Miller!" not in one
    assert "7946" not in one + other
    assert "ANNA" not in other
    assert "Anna Millerton" in other
    assert isinstance(found, Admitted)
    assert found.pseudonyms is not None
    assert found.pseudonyms.restore(one) == f"{PERSONAL} It is Anna Miller!"


async def test_marks_stay_the_same_and_come_back_after_a_restart(rig: GuardRig, session: Session) -> None:
    (first,) = texts(await rig.ask(session, PERSONAL))
    again = rig.restarted(Vault(rig.store, "test"))
    found = await again.admit(handover(Purpose.OVERFLOW, session, [Part(PERSONAL, Source.CUSTOMER)]))
    assert texts(found) == (first,)


@pytest.mark.parametrize(
    "text", ["[CALL_k7q2m4fx]", "[PHONE_07700900123]", "[PHONE_77009001]", "PHONE_k7q2m4fx"]
)
def test_brackets_hide_nothing_from_the_last_look(text: str) -> None:
    assert without_marks(text) == text
    assert without_marks("at [PHONE_k7q2m4fx].") == "at  ."


async def test_a_site_s_own_model_gets_questions_as_they_are_and_nothing_is_looked_for(
    rig: GuardRig, session: Session
) -> None:
    found = await rig.ask(session, PERSONAL, purpose=Purpose.LAN_LLM)
    assert texts(found) == (PERSONAL,)
    assert isinstance(found, Admitted)
    assert found.envelope is None
    assert rig.scans.calls == 0


@pytest.mark.proves("one-way-out")
async def test_the_seal_is_known_and_the_link_of_records_carries_no_text(
    rig: GuardRig, session: Session
) -> None:
    found = await rig.ask(session)
    assert isinstance(found, Admitted)
    assert found.envelope is not None
    assert refusal_of(found.envelope, KEY) == "purpose"
    for forged in (
        replace(found.envelope, payload=found.envelope.payload.replace(b"office", b"safe")),
        replace(found.envelope, purpose=envelope.Purpose.RECORDS, kind="outbox_batch"),
        replace(found.envelope, mac=b""),
    ):
        assert refusal_of(forged, KEY) == "mac"


# --- what the policy refuses ---


@pytest.mark.proves("policy")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wann hat das Amt am Samstag geöffnet und was kostet das Parken?", "policy_languages"),
        ("Hi", "policy_languages"),
        (f"{QUESTION} Ich möchte wissen, ob Sie am Samstag geöffnet haben.", "policy_languages"),
        ("Where do I go with my diabetes on the weekend?", "policy_special"),
    ],
)
async def test_lines_of_the_policy(rig: GuardRig, session: Session, text: str, expected: str) -> None:
    assert reason_of(await rig.ask(session, text)) == expected


async def test_a_type_that_the_policy_names_keeps_the_whole_text_here(
    rig: GuardRig, session: Session
) -> None:
    text = "My password for the portal is Tr0ub4dor&3, is the portal open today?"
    at = text.index("Tr0ub4dor")
    rig.scans.does = _spans(Span("PASSWORD", at, at + 11, 0.9))
    found = await rig.ask(session, text)
    assert found == TextRefusal("policy_types", "overflow.types.PASSWORD")


@pytest.mark.proves("policy")
async def test_special_sticks_to_the_conversation_and_to_no_other(rig: GuardRig, session: Session) -> None:
    assert isinstance(await rig.ask(session), Admitted)
    assert reason_of(await rig.ask(session, "Is there a diabetes clinic on Saturday?")) == "policy_special"
    assert reason_of(await rig.ask(session)) == "policy_sticky_from"
    assert isinstance(await rig.ask(await rig.session()), Admitted)


async def test_special_sticks_after_a_restart(rig: GuardRig, session: Session) -> None:
    await rig.ask(session, "Is there a diabetes clinic on Saturday?")
    again = rig.restarted(rig.vault)
    asked = handover(Purpose.OVERFLOW, session, [Part(QUESTION, Source.CUSTOMER)])
    assert reason_of(await again.admit(asked)) == "policy_sticky_from"


@pytest.mark.parametrize("label", ["special", "no label that anybody knows"])
async def test_a_label_that_a_turn_left_sticks(rig: GuardRig, session: Session, label: str) -> None:
    await rig.store.write(
        lambda db: db.execute(
            "INSERT INTO turns(id, session, created_ms, route, label, redactions, body)"
            " VALUES ('t', ?, 1, 'answer', ?, '[]', x'')",
            [session.id, label],
        )
    )
    assert reason_of(await rig.ask(session)) == "policy_sticky_from"


@pytest.mark.proves("consent")
async def test_consent_that_is_withdrawn_during_the_scan_lets_nothing_out(rig: GuardRig) -> None:
    """As when somebody takes it back while the answer before is still being streamed."""
    session = await rig.session(consent=True)

    async def withdraw(texts: Sequence[str]) -> Sequence[Finding]:
        await rig.sessions.consent(session, "v1", overflow=False)
        return [rig.scans.finding(text) for text in texts]

    rig.scans.does = withdraw
    assert reason_of(await rig.ask(session)) == "policy_consent"
    await rig.sessions.consent(session, "v1", overflow=True)
    rig.scans.does = None
    assert isinstance(await rig.ask(session), Admitted)


@pytest.mark.proves("policy", "consent")
async def test_consent_is_needed_and_overrides_nothing(rig: GuardRig) -> None:
    assert reason_of(await rig.ask(await rig.session(consent=False))) == "policy_consent"
    consenting = await rig.session(consent=True)
    rig.scans.does = lambda texts: [of_label(text, Label.SPECIAL) for text in texts]
    found = await rig.ask(consenting)
    assert reason_of(found) == "policy_special"


async def test_a_conversation_of_staff_takes_the_staffs_documents_along(rig: GuardRig) -> None:
    made = await rig.sessions.create(made_for(), "en", audience=Audience.STAFF)
    session = await rig.sessions.consent(made.session, "v1", True)
    assert isinstance(await rig.ask(session), Admitted)
    assert reason_of(await rig.ask(session, QUESTION, "A passage.")) == "policy_documents"


def made_for() -> Any:
    from edge.chat.session import Channel

    return Channel.INTRANET


async def test_hours(rig: GuardRig, session: Session) -> None:
    rig.clock[0] = NOW.replace(hour=18)
    assert reason_of(await rig.ask(session)) == "policy_hours"
    rig.clock[0] = NOW.replace(hour=17, minute=59)
    assert isinstance(await rig.ask(session), Admitted)


async def test_what_the_control_plane_tightened_counts_too(rig: GuardRig, session: Session) -> None:
    rig.policies.cloud = parse(POLICY.replace("[lan_llm]", "[ticket]"))
    assert isinstance(await rig.ask(session), Admitted)
    assert reason_of(await rig.ask(session, purpose=Purpose.LAN_LLM)) == "policy_lan_llm"


async def test_a_conversation_that_is_over_hands_nothing_on(rig: GuardRig, session: Session) -> None:
    await rig.sessions.wipe(session.id)
    assert reason_of(await rig.ask(session)) == "session"


# --- budgets ---


async def test_budgets_are_used_up_and_come_back(
    rig: GuardRig, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = OverflowPiece(text=QUESTION)
    message = OverflowMessage(role="user", pieces=[piece])
    size = GenerateRequest(messages=[message], max_new_tokens=64).ByteSize()
    rig.sign(POLICY.replace("bytes_per_session = 1_000", f"bytes_per_session = {2 * size}").replace(
        "bytes_per_hour = 2_000", f"bytes_per_hour = {3 * size}"
    ))  # fmt: skip
    assert [type(await rig.ask(session)) for _ in range(2)] == [Admitted, Admitted]
    assert reason_of(await rig.ask(session)) == "policy_bytes_per_session"
    other = await rig.session()
    assert isinstance(await rig.ask(other), Admitted)
    assert reason_of(await rig.ask(other)) == "policy_bytes_per_hour"
    in_an_hour = text_guard._now_ms() + 3_600_001
    monkeypatch.setattr(text_guard, "_now_ms", lambda: in_an_hour)
    assert isinstance(await rig.ask(other), Admitted)


async def test_of_two_at_once_only_what_the_budget_pays_for_goes(rig: GuardRig, session: Session) -> None:
    rig.sign(POLICY.replace("bytes_per_session = 1_000", "bytes_per_session = 120"))
    found = await asyncio.gather(*(rig.ask(session) for _ in range(8)))
    assert sum(isinstance(one, Admitted) for one in found) == 2


async def test_wiping_a_conversation_leaves_bytes_of_nobody(rig: GuardRig, session: Session) -> None:
    await rig.ask(session)
    await rig.ask(session, "Is there a diabetes clinic on Saturday?")
    await rig.sessions.wipe(session.id)
    rows = await rig.store.read(
        lambda db: db.execute("SELECT DISTINCT session, label FROM text_uses").fetchall()
    )
    assert rows == [("", "")]


# --- everything that can break ---


def _spans(*spans: Span, label: Label = Label.PERSONAL) -> Callable[[Sequence[str]], object]:
    return lambda texts: [Finding(spans, label, complete=True) for _ in texts]


async def _hang(_: object = None) -> object:
    await asyncio.Event().wait()
    return None


async def _hang_for_good(_: object = None) -> object:
    with suppress(asyncio.CancelledError):  # it goes on when it is cancelled; the test's end stops it
        await asyncio.Event().wait()
    return await _hang()


def _raise(error: Exception) -> Callable[[Sequence[str]], object]:
    def fail(_: Sequence[str]) -> object:
        raise error

    return fail


GARBAGE: dict[str, Callable[[Sequence[str]], object]] = {
    "raises": _raise(RuntimeError("Anna Miller")),
    "worker_killed": _raise(ConnectionResetError()),
    "says_it_failed": _raise(PosternError("no")),
    "hangs": _hang,
    "hangs_for_good": _hang_for_good,
    "nothing": lambda _: None,
    "no_list": lambda _: 7,
    "too_few": lambda _: [],
    "too_many": lambda texts: [Finding((), Label.PUBLIC, complete=True)] * (len(texts) + 1),
    "no_finding": lambda texts: [{"label": "public"}] * len(texts),
    "none_for_one": lambda texts: [None] * len(texts),
    "label_of_nothing": lambda texts: [Finding((), "harmless", complete=True)] * len(texts),  # type: ignore[arg-type]
    "outside": _spans(Span("PERSON", 5, 10_000, 0.9)),
    "before": _spans(Span("PERSON", -3, 4, 0.9)),
    "empty_span": _spans(Span("PERSON", 4, 4, 0.9)),
    "backwards": _spans(Span("PERSON", 8, 4, 0.9)),
    "overlapping": _spans(Span("PERSON", 0, 6, 0.9), Span("PHONE", 4, 9, 0.9)),
    "out_of_order": _spans(Span("PERSON", 6, 9, 0.9), Span("PHONE", 0, 4, 0.9)),
    "no_number": _spans(Span("PERSON", 0, 4, float("nan"))),
    "endless": _spans(Span("PERSON", 0, 4, float("inf"))),
    "surer_than_sure": _spans(Span("PERSON", 0, 4, 1.01)),
    "place_is_no_number": _spans(Span("PERSON", float("nan"), 4, 0.9)),  # type: ignore[arg-type]
    "place_is_text": _spans(Span("PERSON", "0", "4", 0.9)),  # type: ignore[arg-type]
    "half_a_place": _spans(Span("PERSON", 0.5, 4, 0.9)),  # type: ignore[arg-type]
    "unknown_type": _spans(Span("SHOE_SIZE", 0, 4, 0.9)),
    "label_too_low": _spans(Span("PERSON", 0, 4, 0.9), label=Label.PUBLIC),
    # It lost a telephone number and a name that it had: a form is looked for once more.
    "finds_nothing": lambda texts: [Finding((), Label.PUBLIC, complete=True) for _ in texts],
}


@pytest.mark.proves("policy")
@pytest.mark.parametrize("fault", GARBAGE)
async def test_a_broken_detector_hands_nothing_on(
    rig: GuardRig,
    session: Session,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(looking, "SCAN_S_MAX", 0.05)
    rig.scans.does = GARBAGE[fault]
    assert isinstance(await rig.ask(session, PERSONAL), TextRefusal)
    assert "Miller" not in caplog.text
    rig.scans.does = None
    assert isinstance(await rig.ask(session, PERSONAL), Admitted)


@pytest.mark.parametrize("parts", [((QUESTION,), (PERSONAL,)), ((PERSONAL,), (QUESTION,))])
async def test_findings_of_other_texts_are_noticed(
    rig: GuardRig, session: Session, parts: tuple[tuple[str], tuple[str]]
) -> None:
    """A detector that mixes up its answers: the spans of one text are not those of another."""
    (asked,), (answered,) = parts
    rig.scans.does = lambda _: [rig.scans.finding(answered)]
    assert isinstance(await rig.ask(session, asked), TextRefusal)


async def test_the_whole_has_a_deadline(
    rig: GuardRig, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_guard, "ADMIT_S_MAX", 0.05)
    rig.scans.does = _hang
    assert reason_of(await rig.ask(session, PERSONAL)) == "late"


@pytest.mark.proves("policy")
async def test_a_masking_that_masks_nothing_is_noticed(
    rig: GuardRig, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pseudonyms, "mask", lambda self, text, spans: text)
    assert reason_of(await rig.ask(session, PERSONAL)) == "masked_value"


@pytest.mark.proves("policy")
@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda rig: rig.paths.policy.unlink(), "policy_missing"),
        (lambda rig: rig.paths.policy.write_text(POLICY), "policy_unsigned"),
        (lambda rig: rig.paths.policy.write_bytes(b"\xff\x00" * 99), "policy_unsigned"),
        (lambda rig: rig.paths.policy_public_key.unlink(), "policy_key_missing"),
        (lambda rig: rig.clock.__setitem__(0, NOW + timedelta(days=40)), "policy_valid_until"),
        (lambda rig: setattr(rig.vault, "error", StoreBusy()), "store_busy"),
        (lambda rig: setattr(rig.vault, "error", OSError(28, "No space left")), "failed"),
    ],
)
async def test_without_policy_or_vault_nothing_goes(
    rig: GuardRig, session: Session, spoil: Callable[[GuardRig], None], expected: str
) -> None:
    spoil(rig)
    assert reason_of(await rig.ask(session, PERSONAL)) == expected


async def test_a_policy_that_goes_while_the_text_is_looked_at_counts(rig: GuardRig, session: Session) -> None:
    def removes(texts: Sequence[str]) -> object:
        rig.paths.policy.unlink()
        return [rig.scans.finding(text) for text in texts]

    rig.scans.does = removes
    assert reason_of(await rig.ask(session)) == "policy_missing"


async def test_a_store_that_takes_nothing_more_keeps_text_here(
    rig: GuardRig, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: object) -> object:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(rig.store, "write", full)
        assert reason_of(await rig.ask(session)) == "failed"
        assert reason_of(await rig.ask(session, purpose=Purpose.LAN_LLM)) == "failed"
        broken.setattr(rig.store, "read", full)
        assert reason_of(await rig.ask(session)) == "failed"
    assert isinstance(await rig.ask(session), Admitted)


async def test_more_than_an_envelope_holds_is_refused(rig: GuardRig, session: Session) -> None:
    rig.sign(POLICY.replace("_000\n", "_000_000_000\n"))
    whole = QUESTION.ljust(ENVELOPE_BYTES_MAX + 1)
    assert reason_of(await rig.ask(session, whole)) == "size"
    assert rig.scans.calls == 0


async def test_the_callers_own_cancellation_is_not_swallowed(rig: GuardRig, session: Session) -> None:
    rig.scans.does = _hang
    asking = asyncio.ensure_future(rig.ask(session))
    await rig.scans.called.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.proves("no-text-in-logs")
async def test_refusals_are_counted_by_reason_and_without_text(rig: GuardRig, session: Session) -> None:
    before = metrics.REFUSED.labels("policy_special")._value.get()
    await rig.ask(session, "Is there a diabetes clinic on Saturday?")
    assert metrics.REFUSED.labels("policy_special")._value.get() == before + 1


def test_documents_of_a_conversation_without_passages() -> None:
    asked = Handover(Purpose.OVERFLOW, "s", (Part("x", Source.STAFF),), Documents.PUBLIC)
    known = text_uses.Conversation("subject", consent=True, audience="public", labels=frozenset())
    assert text_guard._documents(asked, known) is Documents.STAFF
    assert text_guard._documents(replace(asked, documents=Documents.NONE), known) is Documents.NONE
