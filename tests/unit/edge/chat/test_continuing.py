"""A conversation that goes on at another node: all that counts is there, once, for its time, and for whom it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge.chat import continuation, continuing, feedback, session_rows
from edge.chat.continuation import Continuation, ContinuationRefused
from edge.chat.continuing import CLOCKS_APART_MS, Continuing
from edge.chat.live_session import Memory
from edge.chat.session import Channel, NewSession, Session, Sessions, StaleNotice
from edge.chat.session_rows import SessionNotFound, now_ms
from edge.config import LimitsSection
from edge.knowledge.document import Audience
from edge.privacy.holds import Hold, place
from edge.store import consents, text_uses
from tests.unit.edge.chat.desk_rig import ANSWER, QUESTION, Rig, rig, scan_forms

KEY = b"k" * 32
NOTICE = "v1"
WHOLE_MS = LimitsSection().session_s * 1000 + CLOCKS_APART_MS


@dataclass
class Node:
    """One node of the site."""

    rig: Rig
    continuing: Continuing

    @property
    def sessions(self) -> Sessions:
        return self.rig.sessions

    async def token(self, session: Session) -> str:
        found = await self.continuing.token(session)
        assert found
        return found

    async def goes_on(self, token: str) -> NewSession:
        return await self.continuing.take(self.continuing.open(token), "10.0.0.7")

    async def rows(self, sql: str, *values: object) -> list[Any]:
        return await self.rig.store.read(lambda db: db.execute(sql, list(values)).fetchall())


@pytest_asyncio.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        made = []
        for name in ("one", "other"):
            opened = await stack.enter_async_context(rig(tmp_path / name))
            made.append(Node(opened, Continuing(opened.store, opened.sessions, KEY, "clinic", NOTICE)))
        yield made[0], made[1]


async def test_all_that_counts_is_there(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    turn = await one.rig.turn(session)
    one.sessions.remember(session, Memory("topic", ("which?",)))
    new = await other.goes_on(await one.token(session))
    assert (new.session.id, new.session.key.subject) == (session.id, session.key.subject)
    assert new.session.notice_version == NOTICE
    assert other.sessions.memory(new.session) == Memory("topic", ("which?",))
    assert await other.sessions.get(session.id, new.token) == new.session
    assert new.session.expires_ms == session.expires_ms
    with other.sessions.claim(new.session):
        pass
    ticket = await other.rig.handoffs.request(new.session, turn)
    shown = await other.rig.inbox.show(ticket.number, "ada")
    assert [message.text for message in shown.messages] == [QUESTION, ANSWER]
    await feedback.give(
        other.rig.store, new.session, turn, useful=True, reason=None, words=None, scan=scan_forms
    )


async def test_the_notice_is_proof_here_too_with_its_own_time(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    await other.goes_on(await one.token(session))
    digests = [node.rig.store.digests.of(session.key.subject) for node in nodes]
    before = await one.rig.store.read(lambda db: consents.of(db, digests[0]))
    after = await other.rig.store.read(lambda db: consents.of(db, digests[1]))
    assert [proof for proof in before if proof.purpose is consents.Purpose.NOTICE] == after


@pytest.mark.proves("consent")
async def test_a_permission_is_asked_for_again_and_nothing_is_proof_of_it_before(
    nodes: tuple[Node, Node],
) -> None:
    """It may have been withdrawn after the token was made, at a node that is dead now."""
    one, other = nodes
    session = await one.rig.arrive()
    permitted = await one.sessions.consent(session, NOTICE, overflow=True)
    token = await one.token(permitted)
    await one.sessions.consent(permitted, NOTICE, overflow=False)
    moved = (await other.goes_on(token)).session
    known = await other.rig.store.read(lambda db: text_uses.conversation(db, session.id))
    assert known
    assert (moved.overflow_consent, known.consent) == (False, False)
    digest = other.rig.store.digests.of(session.key.subject)
    proof = await other.rig.store.read(lambda db: consents.of(db, digest))
    assert [consent.purpose for consent in proof] == [consents.Purpose.NOTICE]
    assert (await other.sessions.consent(moved, NOTICE, overflow=True)).overflow_consent


async def test_what_was_spent_goes_along(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    for size in (0, 40, 60):
        await one.rig.store.write(
            lambda db, size=size: text_uses.add(db, "overflow", session.id, "public", size, now_ms())
        )
    await other.goes_on(await one.token(session))
    spent = await other.rig.store.read(lambda db: text_uses.spent(db, "overflow", session.id, now_ms()))
    assert spent == (100, 100, 100)


async def test_the_most_sensitive_label_sticks(nodes: tuple[Node, Node]) -> None:
    """Also where the turn that had it did not come along."""
    one, other = nodes
    session = await one.rig.arrive()
    await one.rig.turn(session)
    await one.rig.store.write(lambda db: text_uses.add(db, "overflow", session.id, "special", 0, now_ms()))
    await other.goes_on(await one.token(session))
    known = await other.rig.store.read(lambda db: text_uses.conversation(db, session.id))
    assert known
    assert known.labels == {"public", "special"}


async def test_what_is_not_on_record_may_have_been_anything(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    one.sessions.keep_in(session)
    await other.goes_on(await one.token(session))
    known = await other.rig.store.read(lambda db: text_uses.conversation(db, session.id))
    assert known
    assert known.labels == {"special"}


async def test_before_the_notice_there_is_no_token(nodes: tuple[Node, Node]) -> None:
    new = await nodes[0].sessions.create(Channel.KIOSK, "en")
    assert await nodes[0].continuing.token(new.session) is None


@pytest.mark.proves("access")
async def test_a_token_is_taken_once(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    tokens = [await one.token(session), await one.token(session)]
    new = await other.goes_on(tokens[0])
    for token in tokens:  # the same, and one that is newer by a turn
        with pytest.raises(ContinuationRefused):
            await other.goes_on(token)
    assert await other.sessions.get(session.id, new.token)
    await other.sessions.wipe(session.id)
    again = Sessions(other.rig.store, other.sessions._limits)
    restarted = Continuing(other.rig.store, again, KEY, "clinic", NOTICE)
    with pytest.raises(ContinuationRefused):
        await restarted.take(restarted.open(tokens[1]), None)


@pytest.mark.proves("access")
async def test_a_node_takes_no_token_of_its_own(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    session = await one.rig.arrive()
    token = await one.token(session)
    with pytest.raises(ContinuationRefused):
        await one.goes_on(token)
    assert one.sessions.is_open(session.id)
    await one.sessions.wipe(session.id)
    with pytest.raises(ContinuationRefused):
        await one.goes_on(token)


async def test_a_conversation_may_come_back_and_go_again(nodes: tuple[Node, Node]) -> None:
    """To a node that still has it from before: what it has is older, and goes."""
    one, other = nodes
    first = await one.rig.arrive()
    turns = [await one.rig.turn(first)]
    session = first
    for here, there in [(one, other), (other, one), (one, other)]:
        session = (await there.goes_on(await here.token(session))).session
        turns.append(await there.rig.turn(session))
    kept = await other.rows("SELECT id FROM turns ORDER BY created_ms, rowid")
    assert [row[0] for row in kept] == turns
    assert (await other.rows("SELECT moves FROM continuations")) == [(3,)]
    with pytest.raises(SessionNotFound):
        await one.sessions.get(first.id, "the token of before")


@pytest.mark.parametrize("fault", ["notice", "key", "channel"])
async def test_what_does_not_fit_is_refused_and_leaves_nothing(nodes: tuple[Node, Node], fault: str) -> None:
    one, other = nodes
    told = continuation.opened(KEY, "clinic", await one.token(await one.rig.arrive()), now_ms())
    changed: dict[str, Continuation] = {
        "notice": replace(told, notice_version="another"),
        "channel": replace(told, channel="telepathy"),
    }
    key = b"x" * 32 if fault == "key" else KEY
    token = continuation.seal(key, "clinic", changed.get(fault, told))
    with pytest.raises(StaleNotice if fault == "notice" else ContinuationRefused):
        await other.goes_on(token)
    for table in ("sessions", "subjects", "continuations", "turns"):
        assert await other.rig.count(table) == 0


async def test_no_node_lengthens_it_and_a_clock_that_is_ahead_does_not_either(
    nodes: tuple[Node, Node],
) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    told = continuation.opened(KEY, "clinic", await one.token(session), now_ms())
    far = continuation.seal(KEY, "clinic", replace(told, expires_ms=told.expires_ms + 10**9))
    new = await other.goes_on(far)
    limit_s = other.sessions._limits.session_s
    assert new.expires_in_s == limit_s
    soon = replace(told, expires_ms=now_ms() + 10_000, moves=5)
    new = await other.goes_on(continuation.seal(KEY, "clinic", soon))
    assert new.expires_in_s <= 10


@pytest.mark.proves("erasure")
@pytest.mark.parametrize(
    ("past_ms", "refused"), [(-WHOLE_MS - 1_000, True), (-1, True), (0, True), (1, False)]
)
async def test_whom_this_node_has_erased_does_not_come_back_within_a_conversation(
    nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch, past_ms: int, refused: bool
) -> None:
    """Also by a token that was made since; the clock of the node that made it may be another.

    `past_ms`: by how much the erasure is longer ago than the longest conversation, and what clocks may differ by.
    """
    one, other = nodes
    session = await one.rig.arrive()
    await one.rig.turn(session)
    at_ms = now_ms()
    monkeypatch.setattr(continuing, "now_ms", lambda: at_ms)
    await _erased(other, session, at_ms - WHOLE_MS - past_ms)
    if refused:
        with pytest.raises(ContinuationRefused):
            await other.goes_on(await one.token(session))
    else:
        await other.goes_on(await one.token(session))
    assert await other.rig.count("turns") == (0 if refused else 1)


@pytest.mark.proves("erasure")
async def test_an_erasure_while_it_is_being_taken_up_is_in_time(
    nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is erased is looked for behind the person's door, where no erasure can come between."""
    one, other = nodes
    session = await one.rig.arrive()
    begin = other.sessions.begin

    async def erased_first(*arguments: Any) -> NewSession:
        await _erased(other, session, now_ms())
        return await begin(*arguments)

    monkeypatch.setattr(other.sessions, "begin", erased_first)
    with pytest.raises(ContinuationRefused):
        await other.goes_on(await one.token(session))


async def _erased(node: Node, session: Session, at_ms: int) -> None:
    row = [node.rig.store.digests.of(session.key.subject), at_ms, "{}"]
    await node.rig.store.write_keys(lambda keys: keys.execute("INSERT INTO erasures VALUES (?, ?, ?)", row))


@pytest.mark.proves("access")
async def test_taken_twice_at_once_it_stays_with_the_first(
    nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is refused, and takes nothing from the first."""
    one, other = nodes
    session = await one.rig.arrive()
    token = await one.token(session)
    first, second = (asyncio.create_task(other.goes_on(token)) for _ in range(2))
    read = other.rig.store.read

    async def second_is_slow(run: Any) -> Any:
        if getattr(run, "func", None) is session_rows.owner and asyncio.current_task() is second:
            await asyncio.wait([first])
        return await read(run)

    monkeypatch.setattr(other.rig.store, "read", second_is_slow)
    with pytest.raises(ContinuationRefused):
        await second
    new = await first
    assert await other.sessions.get(session.id, new.token) == new.session


async def test_what_a_legal_hold_keeps_stays_as_it_was(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    await one.rig.turn(session)
    moved = (await other.goes_on(await one.token(session))).session
    hold = Hold(session.key.subject, "case 1", "ada", now_ms(), None)
    await one.rig.store.write_keys(lambda keys: place(keys, hold))
    with pytest.raises(ContinuationRefused):
        await one.goes_on(await other.token(moved))
    assert await one.rows("SELECT count(*) FROM turns") == [(1,)]


async def test_staff_stay_staff(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    new = await one.sessions.create(Channel.INTRANET, "en", audience=Audience.STAFF)
    session = await one.sessions.consent(new.session, NOTICE, overflow=None)
    token = await one.token(session)
    assert other.continuing.open(token).audience == Audience.STAFF
    assert (await other.goes_on(token)).session.audience is Audience.STAFF


async def test_what_came_along_is_sealed_for_its_person_and_goes_with_them(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session = await one.rig.arrive()
    await one.rig.turn(session)
    moved = (await other.goes_on(await one.token(session))).session
    (row,) = await other.rows("SELECT id, body FROM turns")
    assert b"parrot" not in bytes(row[1])
    assert json.loads(moved.key.open("turns", row[0], "body", bytes(row[1])))["question"] == QUESTION
    await other.sessions.wipe(session.id)
    for table in ("sessions", "subjects", "turns"):
        assert await other.rig.count(table) == 0
    assert await other.rig.count("continuations") == 1
