"""Conversations: notice before questions, one question at a time, found again after a restart, wiped to nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge.chat import session as module
from edge.chat.session import (
    Channel,
    NoticeRequired,
    SessionBusy,
    SessionNotFound,
    Sessions,
    TooManySessions,
)
from edge.config import site_paths
from edge.store.store import Store


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    yield opened
    await opened.close()


def sessions_of(store: Store, *, session_s: int = 1800, sessions_max: int = 3) -> Sessions:
    return Sessions(store, session_s=session_s, sessions_max=sessions_max)


async def test_no_turn_before_the_notice_was_accepted(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.KIOSK, "en")
    with pytest.raises(NoticeRequired):
        sessions.claim(new.session)
    consented = await sessions.consent(new.session, "v1", overflow=False)
    with sessions.claim(consented):
        pass


async def test_one_question_at_a_time(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.KIOSK, "en")
    consented = await sessions.consent(new.session, "v1", overflow=False)
    with sessions.claim(consented), pytest.raises(SessionBusy), sessions.claim(consented):
        pass
    with sessions.claim(consented):
        pass


async def test_another_token_finds_no_session(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.KIOSK, "en")
    assert (await sessions.get(new.session.id, new.token)).id == new.session.id
    for session_id, token in [(new.session.id, "other"), ("other", new.token)]:
        with pytest.raises(SessionNotFound):
            await sessions.get(session_id, token)


async def test_after_a_restart_the_conversation_goes_on(store: Store) -> None:
    new = await sessions_of(store).create(Channel.INTRANET, "de")
    again = sessions_of(store)
    found = await again.get(new.session.id, new.token)
    assert (found.channel, found.locale, found.consented) == (Channel.INTRANET, "de", False)
    await again.consent(found, "v1", overflow=True)
    found = await sessions_of(store).get(new.session.id, new.token)
    assert found.consented
    assert found.overflow_consent


async def test_at_the_limit_no_more_conversations_and_one_more_when_one_ends(store: Store) -> None:
    sessions = sessions_of(store, sessions_max=2)
    first = await sessions.create(Channel.KIOSK, "en")
    await sessions.create(Channel.KIOSK, "en")
    with pytest.raises(TooManySessions):
        await sessions.create(Channel.KIOSK, "en")
    await sessions.wipe(first.session.id)
    await sessions.create(Channel.KIOSK, "en")


async def test_a_conversation_ends_on_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = sessions_of(store, session_s=60)
    new = await sessions.create(Channel.KIOSK, "en")
    now = module.now_ms()
    monkeypatch.setattr(module, "now_ms", lambda: now + 59_000)
    await sessions.get(new.session.id, new.token)
    monkeypatch.setattr(module, "now_ms", lambda: now + 61_000)
    with pytest.raises(SessionNotFound):
        await sessions.get(new.session.id, new.token)


async def test_a_wiped_conversation_leaves_no_row_and_no_key(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.KIOSK, "en")
    await sessions.wipe(new.session.id)
    for table in ("sessions", "subjects", "turns", "feedback", "handoffs"):
        count = await store.read(lambda db, table=table: db[table].count)
        assert count == 0, table
    assert await store.read_keys(lambda keys: keys["subject_keys"].count) == 0
    with pytest.raises(SessionNotFound):
        await sessions.get(new.session.id, new.token)


async def test_a_named_subject_keeps_its_key_when_one_of_its_conversations_ends(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.API, "en", subject="patient-7")
    await sessions.wipe(new.session.id)
    assert await store.read_keys(lambda keys: keys["subject_keys"].count) == 1
