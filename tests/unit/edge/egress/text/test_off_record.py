"""A conversation of which something could not be written down: nothing of it leaves any more, also on a mended disk.

The store is a real one that really cannot be written: SQLite takes it for read-only, or the kernel lets no file grow.
"""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.chat.session import Session
from edge.config import LlmServerSection
from edge.egress.llm_server import LlmServer
from edge.egress.overflow.alert import OverflowAlert
from edge.egress.text.foreseen import Foreseen
from edge.egress.text.handover import Admitted, TextRefused
from edge.inference.conversation import Message, Piece
from edge.knowledge.languages import detect
from edge.privacy.policy import Purpose
from edge.store import lan_uses
from edge.store.store import Store
from edge.store.unwritable import StoreUnwritable
from models.detect.detector import Finding
from tests.unit.edge.egress.text.guard_rig import QUESTION, RATES, GuardRig, guard_rig, reason_of

_SOFT, _HARD = resource.getrlimit(resource.RLIMIT_FSIZE)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[GuardRig]:
    async with guard_rig(tmp_path) as made:
        yield made


@asynccontextmanager
async def read_only(store: Store) -> AsyncIterator[None]:
    await store._site.alone(lambda db: db.execute("PRAGMA query_only = ON"))
    try:
        yield
    finally:
        await store._site.alone(lambda db: db.execute("PRAGMA query_only = OFF"))


async def foresee(rig: GuardRig, session: Session) -> str:
    foreseen = Foreseen(rig.store, rig.policies, RATES, detect, lambda: rig.clock[0])
    return await foreseen.refusal(session.id, QUESTION, rig.scans.finding(QUESTION), len(QUESTION))


async def stays(rig: GuardRig, session: Session) -> bool:
    """Whatever it is for; another conversation's text goes."""
    assert isinstance(await rig.ask(await rig.session()), Admitted)
    reasons = [reason_of(await rig.ask(session, purpose=one)) for one in (Purpose.OVERFLOW, Purpose.LAN_LLM)]
    return [*reasons, await foresee(rig, session)] == ["off_record"] * 3


@pytest.mark.proves("policy")
async def test_a_consent_that_was_taken_back_while_nothing_could_be_recorded_permits_nothing_later(
    rig: GuardRig,
) -> None:
    session = await rig.session()
    assert isinstance(await rig.ask(session), Admitted)
    rig.sessions.unrecorded.allowed = True
    async with read_only(rig.store):
        with pytest.raises(StoreUnwritable):  # never a confirmation of what is on no disk
            await rig.sessions.consent(session, "v1", False)
    assert await stays(rig, session)
    await rig.sessions.consent(session, "v1", False)
    assert await stays(rig, session)
    await rig.sessions.wipe(session.id)
    assert not rig.store.off_record


async def test_what_becomes_known_while_a_text_is_looked_at_counts(rig: GuardRig) -> None:
    session = await rig.session()

    def told(texts: Sequence[str]) -> list[Finding]:
        rig.sessions.keep_in(session)
        return [rig.scans.finding(text) for text in texts]

    rig.scans.does = told
    assert reason_of(await rig.ask(session)) == "off_record"


async def test_an_alert_that_cannot_be_written_down_sticks_all_the_same(rig: GuardRig) -> None:
    session = await rig.session()
    alert = OverflowAlert(rig.store)
    await alert.personal(session.id, ["PERSON"])
    assert isinstance(await rig.ask(session), Admitted)  # as this policy says of what was personal
    async with read_only(rig.store):
        await alert.personal(session.id, ["PERSON"])
    assert await stays(rig, session)


async def test_nothing_is_foreseen_of_a_store_that_fails(
    rig: GuardRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await rig.session()

    async def fails(_: object) -> Any:
        raise OSError(5, "Anna Miller")

    monkeypatch.setattr(rig.store, "read", fails)
    assert await foresee(rig, session) == "failed"


@pytest.mark.parametrize("fault", ["full", "any"])
async def test_a_server_is_sent_nothing_that_cannot_be_written_down_and_is_not_to_blame(
    rig: GuardRig, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    session = await rig.session()
    server = LlmServer(
        LlmServerSection(url="http://127.0.0.1:9/v1", model="big"), rig.store, rig.guard.admit, 5.0
    )
    admit = server._admit

    async def admit_then_full(*asked: Any) -> Any:
        found = await admit(*asked)
        if fault == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, _HARD))
        return found

    def broken(*_: object, **__: object) -> int:
        raise OSError("Anna Miller")

    server._admit = admit_then_full
    if fault == "any":
        monkeypatch.setattr(lan_uses, "begin", broken)
    messages = [Message("user", (Piece(QUESTION),))]
    answer = server.generate(messages, max_new_tokens=8, deadline_s=5.0, about=session.id)
    try:
        with pytest.raises(TextRefused, match="off_record"):
            await anext(answer)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (_SOFT, _HARD))
    assert server.ready
