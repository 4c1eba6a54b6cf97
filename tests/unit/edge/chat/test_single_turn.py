"""One question: answered with what was said before, and nothing of it left, however it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge.chat.admission import RateLimited
from edge.chat.live_session import Memory
from edge.chat.notice import notice_of
from edge.chat.session import NoticeRequired, Session
from edge.chat.single_turn import ProgramTurns, SingleTurns, memory_of, text_of
from edge.chat.turn import WHICH, Delta, Final, Meta
from edge.inference.scheduler import QueueFull
from edge.knowledge.document import Audience
from edge.store import audit
from edge.store.allowance import Allowance
from edge.store.api_keys import ApiKey, Scope
from edge.store.audit import AuditFilter
from tests.unit.edge.chat.desk_rig import Rig, rig

NOTICE = notice_of("Clinic")
WAIT_S = 30.0


class ScriptedDesk:
    """Keeps a turn and answers with what it was asked, or does as told."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.sessions: list[Session] = []
        self.memories: list[Memory] = []
        self.error: Exception | None = None
        self.hang = False
        self.asked = asyncio.Event()

    async def turn(self, session: Session, text: str) -> AsyncGenerator[Meta | Delta | Final, None]:
        with self.rig.sessions.claim(session):
            self.sessions.append(session)
            self.memories.append(self.rig.sessions.memory(session))
            yield Meta("t")
            await self.rig.turn(session, text)
            self.asked.set()
            if self.error:
                raise self.error
            if self.hang:
                await asyncio.Event().wait()
            yield Delta("taken ")
            yield Final({"answer": text, "choices": []})


class Asking:
    """Everything that a test uses."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.desk = ScriptedDesk(rig)
        self.turns = SingleTurns(rig.sessions, self.desk, NOTICE)  # type: ignore[arg-type]
        self.programs = ProgramTurns(rig.store, self.turns, NOTICE)

    async def nothing_left(self) -> bool:
        keys = await self.rig.store.read_keys(lambda db: db["subject_keys"].count)
        rows = [await self.rig.count(table) for table in ("sessions", "turns", "subjects")]
        return not any([*rows, keys, len(self.rig.sessions)])


@pytest_asyncio.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with rig(tmp_path) as made:
        yield Asking(made)


def key(*scopes: Scope, notice: str | None = NOTICE.version) -> ApiKey:
    return ApiKey(7, "portal", frozenset(scopes), Allowance(60, 60, 1), notice, 0, None, None)


async def test_the_answer_is_the_final_and_nothing_is_left(asking: Asking) -> None:
    before = Memory("topic", ("offered",))
    assert await asking.turns.ask("What?", before=before) == {"answer": "What?", "choices": []}
    assert asking.desk.memories == [before]
    assert asking.desk.sessions[0].notice_version == NOTICE.version
    assert await asking.nothing_left()


async def test_a_turn_that_fails_leaves_nothing(asking: Asking) -> None:
    asking.desk.error = QueueFull(3)
    with pytest.raises(QueueFull):
        await asking.turns.ask("What?")
    assert await asking.nothing_left()


async def test_a_turn_that_is_cancelled_leaves_nothing(asking: Asking) -> None:
    asking.desk.hang = True
    task = asyncio.create_task(asking.turns.ask("What?"))
    async with asyncio.timeout(WAIT_S):
        await asking.desk.asked.wait()
        task.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while asking.turns._wipes:
            await asyncio.wait(asking.turns._wipes)
    assert await asking.nothing_left()


async def test_a_session_that_is_cancelled_while_it_begins_leaves_nothing(asking: Asking) -> None:
    task = asyncio.create_task(asking.turns.ask("What?"))
    await asyncio.sleep(0)  # the task has begun the session and waits for the store
    task.cancel()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not asking.desk.sessions
    assert await asking.nothing_left()


async def test_no_session_no_trace(asking: Asking) -> None:
    limit = asking.rig.sessions._limits.address_sessions_per_minute
    for _ in range(limit):
        asking.rig.sessions._admission._begun.take("a", asking.rig.clock.now_s)
    with pytest.raises(RateLimited):
        await asking.turns.ask("What?", address="a")
    await asking.turns.ask("What?", address="b")
    assert await asking.nothing_left()


@pytest.mark.proves("notice")
async def test_a_key_is_bound_to_the_notice_that_it_was_given(asking: Asking) -> None:
    for version in (None, "another"):
        with pytest.raises(NoticeRequired):
            await asking.programs.ask(key(Scope.CHAT, notice=version), "What?", Memory())
    assert not asking.desk.sessions
    await asking.programs.ask(key(Scope.CHAT), "What?", Memory())
    assert asking.desk.sessions[0].audience is Audience.PUBLIC
    assert await asked_for_staff(asking) == []


async def test_documents_for_staff_need_their_scope_and_are_written_down(asking: Asking) -> None:
    await asking.programs.ask(key(Scope.CHAT, Scope.STAFF), "What?", Memory())
    assert asking.desk.sessions[0].audience is Audience.STAFF
    assert await asked_for_staff(asking) == [("api-key:portal", "chat.staff")]


async def asked_for_staff(asking: Asking) -> list[tuple[str, str]]:
    rows = await asking.rig.store.read(lambda db: audit.search(db, AuditFilter(action="chat."), 10))
    return [(row.actor, row.action) for row in rows]


def test_choices_are_lines_that_are_known_again() -> None:
    answer: dict[str, Any] = {"answer": WHICH, "choices": [{"label": "A", "question": "When (A)?"}]}
    text = text_of(answer)
    assert text == f"{WHICH}\n- When (A)?"
    assert memory_of(["When?"], text) == Memory("When?", ("When (A)?",))
    assert memory_of([], "") == Memory()
    assert replace(memory_of([], text_of({"answer": "- x\n- y", "choices": []})), topic="") == Memory()
