"""What the guard makes of a text: which language it is in, whether it was all looked at, what is a name in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge.chat.session import Session
from edge.chat.turn_scan import Asked
from edge.egress.text.handover import Admitted, Handover, Part, Source
from edge.privacy.policy import Purpose
from models.detect.detector import Finding
from models.detect.detector import Part as DetectorPart
from models.detect.label import Label
from models.detect.spans import Span
from models.detect.view import View
from models.detect.windows import Window
from tests.unit.edge.egress.text.guard_rig import POLICY, QUESTION, GuardRig, handover, reason_of

REDACTS_FOR_ITS_OWN = POLICY.replace('personal = "allow"', 'personal = "redact"').replace(
    'special = "allow"', 'special = "redact"'
)
"""The site's own model gets names replaced, in whatever language: `risk = "any"`."""
PERSONAL = "My name is Anna Miller, please call me about my appointment."


@pytest.mark.parametrize("policy", [POLICY, REDACTS_FOR_ITS_OWN])
@pytest.mark.parametrize("purpose", [Purpose.OVERFLOW, Purpose.LAN_LLM])
async def test_where_names_were_not_looked_for_only_what_is_free_of_all_rules_goes(
    rig: GuardRig, session: Session, policy: str, purpose: Purpose
) -> None:
    rig.sign(policy)
    rig.scans.does = lambda texts: [replace(rig.scans.finding(text), complete=False) for text in texts]
    found = await rig.ask(session, purpose=purpose)
    if policy == POLICY and purpose is Purpose.LAN_LLM:
        assert isinstance(found, Admitted)
    else:
        assert reason_of(found) == "policy_incomplete"


async def test_redaction_for_a_model_of_the_site_asks_for_no_language(
    rig: GuardRig, session: Session
) -> None:
    rig.sign(REDACTS_FOR_ITS_OWN)
    found = await rig.ask(session, "Anna Miller, ja?", purpose=Purpose.LAN_LLM)
    assert isinstance(found, Admitted)
    assert found.parts[0].startswith("[PERSON_")


async def test_a_foreign_sentence_behind_an_english_one_stays(rig: GuardRig, session: Session) -> None:
    asked = "What are your opening hours on Monday please?"
    assert reason_of(await rig.ask(session, f"{asked} Nevem Kovács János, Budapest.")) == "policy_languages"
    assert isinstance(await rig.ask(session, f"{asked} My name is Kovács János, Budapest."), Admitted)


async def test_an_ordinary_word_that_is_also_a_name_stays_a_word(rig: GuardRig, session: Session) -> None:
    text = "My name is Will and I will come in May, if you will have me. Will it work?"
    at = text.index("Will")
    rig.scans.does = lambda _: [Finding((Span("PERSON", at, at + 4, 0.9),), Label.PERSONAL, complete=True)]
    found = await rig.ask(session, text)
    assert isinstance(found, Admitted)
    assert " and I will come in May, if you will have me. [PERSON_" in found.parts[0]


async def test_a_caller_has_what_time_it_has(rig: GuardRig, session: Session) -> None:
    asked = handover(Purpose.OVERFLOW, session, [Part(PERSONAL, Source.CUSTOMER)])
    rig.scans.does = lambda _: asyncio.Event().wait()
    assert reason_of(await rig.guard.admit(asked, 0.05)) == "late"
    rig.scans.does = None
    assert isinstance(await rig.guard.admit(asked, 60.0), Admitted)


@pytest.mark.proves("no-text-in-logs")
async def test_no_repr_shows_a_text(rig: GuardRig, session: Session) -> None:
    parts = (Part(PERSONAL, Source.CUSTOMER),)
    rows = [
        Handover(Purpose.OVERFLOW, session.id, parts),
        await rig.ask(session, PERSONAL),
        DetectorPart(PERSONAL, Window(0, 5, 0, 5)),
        Asked(PERSONAL, 0, 5),
        View(PERSONAL),
    ]
    assert not [row for row in rows if "Miller" in repr(row) or "appointment" in repr(row)]


@pytest.mark.parametrize(
    "hide",
    [
        lambda value: "".join(chr(0xE0000 + ord(sign)) for sign in value),
        lambda value: "".join(
            chr(0xFE00 + (byte & 15)) + chr(0xFE00 + (byte >> 4)) for byte in value.encode()
        ),
        lambda value: "".join(
            "\u200b" if byte >> bit & 1 else "\u200c" for byte in value.encode() for bit in range(8)
        ),
    ],
    ids=["tags", "variation selectors", "bits of no width"],
)
async def test_what_nobody_sees_does_not_leave(
    rig: GuardRig, session: Session, hide: Callable[[str], str]
) -> None:
    """A second text, which no detector reads, and no person who looks at the first."""
    hidden = hide("Anna Miller, 4111 1111 1111 1111")
    passage = "The office is open on Saturday."
    found = await rig.ask(session, f"When is the office open{hidden} on Saturday?", passage + hidden)
    assert isinstance(found, Admitted)
    assert list(found.parts) == ["When is the office open on Saturday?", passage]


async def test_a_word_of_trade_lets_no_number_out(rig: GuardRig, session: Session) -> None:
    """What the first look would excuse is replaced, not only held back at the last."""
    rig.sign(REDACTS_FOR_ITS_OWN)
    for said, type_ in (
        ("Are those your opening hours 4111 1111 1111 1111 or not?", "CREDIT_CARD"),
        ("Can you call me about order 202-555-0187 please?", "PHONE"),
        ("Can I ask whether the item 123-45-6789 is out of stock?", "US_SSN"),
        (f"{'When is the office open? ' * 50}Is it the part number 1HGCM82633A004352 price?", "VEHICLE_ID"),
    ):
        found = await rig.ask(session, said, purpose=Purpose.LAN_LLM)
        assert isinstance(found, Admitted), said
        assert f"[{type_}_" in found.parts[0]
        assert not re.search(r"\d{3}", re.sub(r"\[\w+\]", "", found.parts[0]))


async def test_a_word_of_trade_excuses_a_number_in_what_is_published(rig: GuardRig, session: Session) -> None:
    passage = "Say the order number 202-555-0187 at the desk."
    found = await rig.ask(session, QUESTION, passage)
    assert isinstance(found, Admitted)
    assert found.parts[1] == passage
