"""A turn's own look at its question stands for the guard's; where anything about it is off, it does not."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from edge.chat.session import Session
from edge.egress.text import looking
from edge.egress.text.handover import Admitted, Part, Source, TextRefusal, parts_of
from edge.inference.conversation import Looked, Message, Piece
from edge.privacy.policy import Documents, Purpose
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.spans import Span
from tests.unit.edge.egress.text.guard_rig import POLICY, GuardRig, handover, reason_of

SAID = "My name is Anna Miller, when is the office open?"
PASSAGE = "The office is open on Saturday."


def looked(rig: GuardRig, text: str = SAID) -> Looked:
    return Looked(text, rig.scans.finding(text), rig.scans.version, time.monotonic())


async def ask(
    rig: GuardRig, session: Session, found: Looked | None, *passages: str, text: str = SAID
) -> Admitted | TextRefusal:
    pieces = (*(Piece(one, published=True) for one in passages), Piece(text, looked=found))
    parts = parts_of([Message("user", pieces)])
    documents = Documents.PUBLIC if passages else Documents.NONE
    return await rig.guard.admit(handover(Purpose.OVERFLOW, session, parts, documents))


async def test_words_that_the_turn_has_looked_at_are_not_looked_at_again(
    rig: GuardRig, session: Session
) -> None:
    again = await ask(rig, session, None)
    rig.scans.seen.clear()
    found = await ask(rig, session, looked(rig))
    assert isinstance(found, Admitted)
    assert isinstance(again, Admitted)
    assert found.parts == again.parts
    assert "Miller" not in found.parts[0]
    assert rig.scans.seen == []


async def test_a_published_passage_is_looked_at_once_beside_it(rig: GuardRig, session: Session) -> None:
    for _ in range(2):
        assert isinstance(await ask(rig, session, looked(rig), PASSAGE), Admitted)
    assert rig.scans.seen == [PASSAGE]
    assert isinstance(await ask(rig, session, None, PASSAGE), Admitted)
    assert rig.scans.seen == [PASSAGE, SAID]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda one: replace(one, text=f"{SAID} "),
        lambda one: replace(one, text=SAID.lower()),
        lambda one: replace(one, version="0"),
        lambda one: replace(one, finding=replace(one.finding, complete=False)),
        lambda one: replace(one, at_s=one.at_s - looking.LOOKED_S_MAX - 1),
        lambda one: replace(one, at_s=one.at_s + 60),
        lambda one: None,
    ],
    ids=["a sign more", "other letters", "version", "incomplete", "old", "of the future", "none"],
)
async def test_a_look_at_anything_else_is_none(
    rig: GuardRig, session: Session, spoil: Callable[[Looked], Looked | None]
) -> None:
    assert isinstance(await ask(rig, session, spoil(looked(rig))), Admitted)
    assert rig.scans.seen == [SAID]


async def test_what_nobody_sees_was_not_looked_at_by_the_turn(rig: GuardRig, session: Session) -> None:
    """The guard takes it out, and then these are not the words that the turn read."""
    disguised = SAID.replace("Anna", "An\u200bna")
    empty = Looked(disguised, Finding((), Label.PUBLIC, complete=True), "1", time.monotonic())
    found = await ask(rig, session, empty, text=disguised)
    assert isinstance(found, Admitted)
    assert rig.scans.seen == [SAID]
    assert "Miller" not in found.parts[0]


async def test_a_detector_that_failed_since_is_asked_and_nothing_goes(
    rig: GuardRig, session: Session
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError

    rig.scans.does, rig.scans.failing = fails, True
    assert reason_of(await ask(rig, session, looked(rig))) == "failed"
    assert rig.scans.seen == [SAID]


@pytest.mark.parametrize(
    "spans",
    [
        (Span("PERSON", 11, len(SAID) + 1, 0.9),),
        (Span("PERSON", 11, 22, 0.9), Span("PERSON", 15, 30, 0.9)),
        (Span("NOBODY", 11, 22, 0.9),),
        (Span("PERSON", 11, 22, float("nan")),),
    ],
)
async def test_a_look_that_cannot_be_lets_nothing_go(
    rig: GuardRig, session: Session, spans: tuple[Span, ...]
) -> None:
    mad = replace(looked(rig), finding=Finding(spans, Label.PERSONAL, complete=True))
    assert reason_of(await ask(rig, session, mad)) == "detector"


async def test_a_look_that_missed_a_form_or_a_known_name_lets_neither_go(
    rig: GuardRig, session: Session
) -> None:
    """What is looked at without the detector is looked at as ever."""
    assert isinstance(await ask(rig, session, looked(rig)), Admitted)
    nothing = Finding((), Label.PUBLIC, complete=True)
    said = "Tell Anna Miller when the office is open."
    found = await ask(rig, session, replace(looked(rig, said), finding=nothing), text=said)
    assert isinstance(found, Admitted)
    assert "Miller" not in found.parts[0]
    said = "Is the office open, and is 4111 1111 1111 1111 my number?"
    found = await ask(rig, session, replace(looked(rig, said), finding=nothing), text=said)
    assert isinstance(found, TextRefusal) or "4111" not in found.parts[0]


async def test_only_a_customer_s_words_have_been_looked_at_by_a_turn(rig: GuardRig, session: Session) -> None:
    rig.sign(POLICY.replace('documents = "public"', 'documents = "staff"'))
    for source in (Source.STAFF, Source.PUBLIC):
        rig.scans.seen.clear()
        parts = [Part(SAID, source, looked(rig))]
        await rig.guard.admit(handover(Purpose.OVERFLOW, session, parts, Documents.PUBLIC))
        assert rig.scans.seen == [SAID]


def test_no_repr_shows_the_words(rig: GuardRig) -> None:
    found = looked(rig)
    for row in (found, Piece(SAID, looked=found), Part(SAID, Source.CUSTOMER, found)):
        assert "Miller" not in repr(row)
