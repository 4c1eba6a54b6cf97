"""What is foreseen of a text is what the guard says of it, by whatever line of the policy; and nothing is scanned."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from edge.chat.session import Session
from edge.egress.text.foreseen import Foreseen
from edge.egress.text.handover import Admitted
from edge.knowledge.languages import detect
from models.detect.detector import Finding
from models.detect.rates import NOTHING_MEASURED, parse
from tests.unit.edge.egress.text.guard_rig import POLICY, QUESTION, RATES, GuardRig, guard_rig

PERSONAL = "Is the office open on Saturday for Anna Miller?"
SPECIAL = "Is the office open on Saturday for people with diabetes?"
ITALIAN = "Quando è aperto l'ufficio il sabato mattina, per favore?"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[GuardRig]:
    async with guard_rig(tmp_path) as made:
        yield made


async def foresee(rig: GuardRig, session: Session, text: str = QUESTION, size: int | None = None) -> str:
    """As a turn does, with what its own pass has found."""
    foreseen = Foreseen(rig.store, rig.policies, RATES, detect, lambda: rig.clock[0])
    calls = rig.scans.calls
    found: Finding = rig.scans.finding(text)
    refusal = await foreseen.refusal(session.id, text, found, size or len(text.encode()))
    assert rig.scans.calls == calls
    return refusal


async def agrees(rig: GuardRig, session: Session, text: str = QUESTION) -> str:
    """What was foreseen; the guard says the same."""
    refusal = await foresee(rig, session, text)
    said = await rig.ask(session, text)
    if isinstance(said, Admitted):
        assert not refusal
    else:
        assert said.rule == refusal
    return refusal


async def test_by_what_the_text_is(rig: GuardRig) -> None:
    cases = {
        QUESTION: "",
        PERSONAL: "",
        SPECIAL: "overflow.special",
        ITALIAN: "overflow.languages",
        f"{QUESTION} {PERSONAL} Che ore sono adesso?": "overflow.languages",
    }
    for text, refusal in cases.items():
        assert await agrees(rig, await rig.session(), text) == refusal


async def test_by_what_the_conversation_was(rig: GuardRig) -> None:
    session = await rig.session()
    assert await agrees(rig, session, SPECIAL) == "overflow.special"
    assert await agrees(rig, session) == "overflow.sticky_from"


async def test_by_consent_and_its_withdrawal(rig: GuardRig) -> None:
    assert await agrees(rig, await rig.session(consent=False)) == "overflow.consent"
    session = await rig.session()
    assert await agrees(rig, session) == ""
    await rig.sessions.consent(session, "v1", False)
    assert await agrees(rig, session) == "overflow.consent"


async def test_by_the_hour_and_the_day(rig: GuardRig) -> None:
    session = await rig.session()
    rig.clock[0] += timedelta(hours=9)
    assert await agrees(rig, session) == "overflow.hours"
    rig.clock[0] += timedelta(days=40)
    assert await agrees(rig, session) == "valid_until"


async def test_by_the_budget(rig: GuardRig) -> None:
    session = await rig.session()
    for size, refusal in ((999, ""), (1_000, ""), (1_001, "overflow.bytes_per_session")):
        assert await foresee(rig, session, size=size) == refusal


async def test_by_what_is_spent(rig: GuardRig) -> None:
    session = await rig.session()
    assert isinstance(await rig.ask(session), Admitted)
    left = 990  # of 1,000, and the first text had more than 10
    assert await foresee(rig, session, size=left) == "overflow.bytes_per_session"
    assert await foresee(rig, await rig.session(), size=left) == ""


async def test_without_a_pass_that_looked_for_names_and_when_the_conversation_is_over(rig: GuardRig) -> None:
    foreseen = Foreseen(rig.store, rig.policies, RATES, detect, lambda: rig.clock[0])
    session = await rig.session()
    assert (
        await foreseen.refusal(session.id, QUESTION, rig.scans.forms(QUESTION), 10) == "overflow.incomplete"
    )
    await rig.sessions.wipe(session.id)
    assert await foresee(rig, session) == "session"


async def test_by_the_policy(rig: GuardRig) -> None:
    foreseen = Foreseen(rig.store, rig.policies, RATES, detect, lambda: rig.clock[0])
    session = await rig.session()
    assert (foreseen.possible(), foreseen.asks_customers()) == (True, True)
    for rates in (NOTHING_MEASURED, parse("language.en.PERSON = { missed = 40, of = 1000 }")):
        missing = Foreseen(rig.store, rig.policies, rates, detect, lambda: rig.clock[0])
        assert (missing.possible(), missing.asks_customers()) == (False, False)
    rig.sign(POLICY.replace("consent = true", "consent = false", 1))
    assert (foreseen.possible(), foreseen.asks_customers()) == (True, False)
    rig.sign(POLICY.replace('public = "allow"', 'public = "refuse"', 1).replace('"redact"', '"refuse"'))
    assert (foreseen.possible(), foreseen.asks_customers()) == (False, False)
    rig.paths.policy.unlink()
    assert (foreseen.possible(), foreseen.asks_customers()) == (False, False)
    assert await foresee(rig, session) == "policy_missing"
