"""Conversations: notice before questions, one question at a time, found again after a restart, wiped to nothing."""

from __future__ import annotations

import asyncio

import pytest

from edge.chat import session as module
from edge.chat.admission import RateLimited, TooManySessions
from edge.chat.live_session import SessionBusy
from edge.chat.session import (
    IDLE_GRACE_S,
    SWEEP_INTERVAL_S,
    Channel,
    NoticeRequired,
    Session,
    Sessions,
)
from edge.chat.session_rows import SessionNotFound
from edge.config import LimitsSection
from edge.knowledge.document import Audience
from edge.privacy.holds import Hold, place, release
from edge.store.store import Store
from edge.store.subjects import load_key


class Clock:
    """Seconds since the machine started, as a test sets them."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def sessions_of(store: Store, clock: Clock | None = None, **limits: int) -> Sessions:
    return Sessions(store, LimitsSection(**{"sessions_max": 3, **limits}), clock=clock or Clock())


async def consented(sessions: Sessions, channel: Channel = Channel.KIOSK) -> Session:
    new = await sessions.create(channel, "en")
    return await sessions.consent(new.session, "v1", overflow=False)


@pytest.mark.proves("notice")
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


@pytest.mark.proves("access")
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


async def test_a_full_address_leaves_room_for_the_others(store: Store) -> None:
    sessions = sessions_of(store, address_sessions_max=1)
    await sessions.create(Channel.KIOSK, "en", address="10.0.0.1")
    with pytest.raises(TooManySessions) as refused:
        await sessions.create(Channel.KIOSK, "en", address="10.0.0.1")
    # When the silent kiosk's place becomes free by itself: true to the second.
    assert refused.value.retry_after_s == 60 + IDLE_GRACE_S + SWEEP_INTERVAL_S
    await sessions.create(Channel.KIOSK, "en", address="10.0.0.2")


@pytest.mark.parametrize(
    ("limits", "others"),
    [({"address_sessions_per_minute": 2}, True), ({"node_sessions_per_minute": 2}, False)],
)
async def test_beginning_conversations_has_a_rate(store: Store, limits: dict[str, int], others: bool) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock, sessions_max=100, **limits)
    for _ in range(2):
        await sessions.create(Channel.KIOSK, "en", address="10.0.0.1")
    with pytest.raises(RateLimited) as refused:
        await sessions.create(Channel.KIOSK, "en", address="10.0.0.1")
    if others:
        await sessions.create(Channel.KIOSK, "en", address="10.0.0.2")
    assert refused.value.retry_after_s == 30
    clock.now_s += 30
    await sessions.create(Channel.KIOSK, "en", address="10.0.0.1")


async def test_a_waiting_room_behind_one_address_is_let_in(store: Store) -> None:
    sessions = Sessions(store, LimitsSection(), clock=Clock())
    for _ in range(200):
        await sessions.create(Channel.KIOSK, "en", address="10.0.0.1")
    assert len(sessions) == 200


async def test_questions_have_a_rate_that_programs_do_not_share(store: Store) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock, turns_per_minute=2, api_turns_per_minute=3)
    kiosk, program = await consented(sessions), await consented(sessions, Channel.API)
    for session, allowed in ((kiosk, 2), (program, 3)):
        for _ in range(allowed):
            with sessions.claim(session):
                pass
        with pytest.raises(RateLimited) as refused, sessions.claim(session):
            pass
        assert refused.value.retry_after_s == 60 // allowed
    clock.now_s += 30
    with sessions.claim(kiosk):
        pass


async def test_what_else_a_conversation_does_has_a_rate(store: Store) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock, acts_per_minute=2)
    session = await consented(sessions)
    sessions.act(session)
    sessions.act(session)
    with pytest.raises(RateLimited) as refused:
        sessions.act(session)
    assert refused.value.retry_after_s == 30
    with sessions.claim(session):  # a question is not one of them
        pass
    clock.now_s += 30
    sessions.act(session)


async def test_the_node_has_a_rate_of_its_own(store: Store) -> None:
    sessions = sessions_of(store, node_turns_per_minute=2)
    for session in (await consented(sessions), await consented(sessions)):
        with sessions.claim(session):
            pass
    with pytest.raises(RateLimited), sessions.claim(session):
        pass


async def test_a_conversation_ends_on_time_however_busy_it_is(store: Store) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock, session_s=100)
    new = await sessions.create(Channel.KIOSK, "en")
    for _ in range(3):
        clock.now_s += 33
        await sessions.get(new.session.id, new.token)
    clock.now_s += 1
    with pytest.raises(SessionNotFound):
        await sessions.get(new.session.id, new.token)


@pytest.mark.proves("wiping")
@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
async def test_a_jump_of_the_wall_clock_lengthens_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, jump_s: int
) -> None:
    clock, now = Clock(), module.now_ms()
    sessions = sessions_of(store, clock, session_s=100, idle_other_s=600)
    new = await sessions.create(Channel.API, "en")
    monkeypatch.setattr(module, "now_ms", lambda: now + jump_s * 1000)
    clock.now_s += 101
    with pytest.raises(SessionNotFound):
        await sessions.get(new.session.id, new.token)


async def test_after_a_restart_with_a_clock_set_back_nothing_is_longer_than_a_session(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = await sessions_of(store).create(Channel.API, "en")
    now = module.now_ms()
    monkeypatch.setattr(module, "now_ms", lambda: now - 86_400_000)
    clock = Clock()
    again = sessions_of(store, clock, session_s=100)
    await again.get(new.session.id, new.token)
    clock.now_s += 101
    with pytest.raises(SessionNotFound):
        await again.get(new.session.id, new.token)


@pytest.mark.proves("wiping")
@pytest.mark.parametrize(("channel", "silence_s"), [(Channel.KIOSK, 60), (Channel.API, 600)])
async def test_silence_ends_a_conversation_without_the_page(
    store: Store, channel: Channel, silence_s: int
) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock)
    await sessions.create(channel, "en")
    clock.now_s += silence_s + IDLE_GRACE_S - 1
    await sessions.sweep_once()
    assert len(sessions) == 1
    clock.now_s += 1
    await sessions.sweep_once()
    assert len(sessions) == 0
    assert await store.read(lambda db: db["sessions"].count) == 0
    assert await store.read_keys(lambda keys: keys["subject_keys"].count) == 0


async def test_a_sign_of_life_counts_and_a_stream_that_is_open_does_not(store: Store) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock)
    new = await sessions.create(Channel.KIOSK, "en")
    clock.now_s += 60
    await sessions.get(new.session.id, new.token)
    clock.now_s += 60
    await sessions.get(new.session.id, new.token, touch=False)
    clock.now_s += IDLE_GRACE_S
    with pytest.raises(SessionNotFound):
        await sessions.get(new.session.id, new.token)


async def test_an_answer_that_is_being_made_is_no_silence(store: Store) -> None:
    clock = Clock()
    sessions = sessions_of(store, clock)
    session = await consented(sessions)
    with sessions.claim(session):
        clock.now_s += 100
        await sessions.sweep_once()
    clock.now_s += 59
    await sessions.sweep_once()
    assert len(sessions) == 1


async def test_what_a_killed_node_left_open_is_silent_from_its_return(store: Store) -> None:
    await sessions_of(store).create(Channel.KIOSK, "en")
    clock = Clock()
    again = sessions_of(store, clock)
    sweeping = asyncio.create_task(again.sweep())
    async with asyncio.timeout(30):
        while not len(again):
            await asyncio.sleep(0)
    sweeping.cancel()
    clock.now_s += 60 + IDLE_GRACE_S
    await again.sweep_once()
    assert await store.read(lambda db: db["sessions"].count) == 0


async def test_a_conversation_that_lost_its_key_is_cleared_away(store: Store) -> None:
    new = await sessions_of(store).create(Channel.KIOSK, "en")
    await store.write_keys(lambda keys: keys.execute("DELETE FROM subject_keys"))
    again = sessions_of(store)
    sweeping = asyncio.create_task(again.sweep())
    async with asyncio.timeout(30):
        while await store.read(lambda db: db["sessions"].count):
            await asyncio.sleep(0)
    sweeping.cancel()
    with pytest.raises(SessionNotFound):
        await again.get(new.session.id, new.token)


@pytest.mark.proves("wiping")
async def test_a_wipe_in_the_middle_ends_everything(store: Store) -> None:
    sessions = sessions_of(store)
    session = await consented(sessions)
    await sessions.wipe(session.id)
    with pytest.raises(SessionNotFound):
        sessions.claim(session)
    with pytest.raises(SessionNotFound):
        await sessions.consent(session, "v1", overflow=False)


async def test_staff_is_who_was_let_in_as_staff_also_after_a_restart(store: Store) -> None:
    new = await sessions_of(store).create(Channel.INTRANET, "en", audience=Audience.STAFF)
    found = await sessions_of(store).get(new.session.id, new.token)
    assert found.audience is Audience.STAFF


@pytest.mark.proves("wiping")
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


# --- subjects with a name ---


async def known(store: Store, subject: str) -> tuple[bool, bool]:
    """Whether they have a key, and whether their name is kept."""
    key = await store.read_keys(lambda keys: load_key(keys, subject))
    name = await store.read(
        lambda db: db.execute("SELECT 1 FROM subjects WHERE id = ?", [subject]).fetchone()
    )
    return key is not None, name is not None


async def test_a_name_and_its_key_go_with_the_last_conversation(store: Store) -> None:
    sessions = sessions_of(store)
    first, second = [(await sessions.create(Channel.API, "en", "patient-7")).session for _ in range(2)]
    await sessions.wipe(first.id)
    assert await known(store, "patient-7") == (True, True)
    await sessions.wipe(second.id)
    assert await known(store, "patient-7") == (False, False)


async def test_a_conversation_that_begins_as_the_last_one_ends_can_be_read_after_a_restart(
    store: Store,
) -> None:
    sessions = sessions_of(store)
    for _ in range(10):
        old = await sessions.create(Channel.API, "en", "patient-7")
        new, _ = await asyncio.gather(
            sessions.create(Channel.API, "en", "patient-7"), sessions.wipe(old.session.id)
        )
        found = await sessions_of(store).get(new.session.id, new.token)
        sealed = new.session.key.seal("turns", "t", "body", b"words")
        assert found.key.open("turns", "t", "body", sealed) == b"words"
        await sessions.wipe(new.session.id)


async def test_a_hold_keeps_name_and_key_until_it_is_released(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.API, "en", "patient-7")
    await store.write_keys(lambda keys: place(keys, Hold("patient-7", "case 1", "dpo", 0, None)))
    await sessions.wipe(new.session.id)
    assert not await sessions.forget_idle("patient-7")
    assert await known(store, "patient-7") == (True, True)
    await store.write_keys(lambda keys: release(keys, "patient-7"))
    await sessions.sweep_once()
    assert await known(store, "patient-7") == (False, False)


async def test_whoever_has_a_conversation_is_not_forgotten(store: Store) -> None:
    sessions = sessions_of(store)
    new = await sessions.create(Channel.API, "en", "patient-7")
    assert not await sessions.forget_idle("patient-7")
    assert await known(store, "patient-7") == (True, True)
    await sessions.wipe(new.session.id)
