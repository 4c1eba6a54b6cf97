"""The ledger of consents: one transaction with the conversation, a row a change of mind, words under their version."""

from __future__ import annotations

import pytest

from edge.chat.session import Channel, Session, Sessions
from edge.chat.session_rows import SessionNotFound
from edge.config import LimitsSection
from edge.store import consents, text_uses
from edge.store.consents import SHOWN_MAX, Consent, Purpose
from edge.store.store import Store


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store, LimitsSection())


async def begin(sessions: Sessions, subject: str | None = None) -> Session:
    return (await sessions.create(Channel.API, "en", subject)).session


async def said(store: Store, subject: str) -> list[tuple[str, str, bool]]:
    """What a subject said, without when."""
    found = await store.read(lambda db: consents.of(db, store.digests.of(subject)))
    return [(str(one.purpose), one.notice_version, one.given) for one in found]


@pytest.mark.proves("consent")
@pytest.mark.parametrize(
    ("steps", "rows"),
    [
        ([("1", None)], [("notice", "1", True)]),
        ([("1", True)], [("notice", "1", True), ("overflow", "1", True)]),
        ([("1", False)], [("notice", "1", True), ("overflow", "1", False)]),
        # the same again is no change of mind
        ([("1", True), ("1", True)], [("notice", "1", True), ("overflow", "1", True)]),
        ([("1", None), ("1", None)], [("notice", "1", True)]),
        # withdrawn, in words or by leaving it out, and given again
        (
            [("1", True), ("1", False)],
            [("notice", "1", True), ("overflow", "1", True), ("overflow", "1", False)],
        ),
        (
            [("1", True), ("1", None)],
            [("notice", "1", True), ("overflow", "1", True), ("overflow", "1", False)],
        ),
        (
            [("1", True), ("1", False), ("1", True)],
            [
                ("notice", "1", True),
                ("overflow", "1", True),
                ("overflow", "1", False),
                ("overflow", "1", True),
            ],
        ),
        ([("1", False), ("1", None)], [("notice", "1", True), ("overflow", "1", False)]),
        # another notice is accepted anew
        ([("1", None), ("2", None)], [("notice", "1", True), ("notice", "2", True)]),
    ],
)
async def test_each_change_of_mind_is_a_row(
    store: Store,
    sessions: Sessions,
    steps: list[tuple[str, bool | None]],
    rows: list[tuple[str, str, bool]],
) -> None:
    session = await begin(sessions, "patient-7")
    for version, overflow in steps:
        session = await sessions.consent(session, version, overflow)
    assert await said(store, "patient-7") == rows


@pytest.mark.proves("consent")
async def test_the_guard_reads_what_holds_now(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    known_as = session.id
    for overflow, permitted in [(None, False), (True, True), (None, False), (True, True), (False, False)]:
        session = await sessions.consent(session, "1", overflow)
        known = await store.read(lambda db: text_uses.conversation(db, known_as))
        assert known is not None
        assert known.consent is permitted
        assert session.overflow_consent is permitted


async def test_nothing_is_noted_of_a_conversation_that_is_gone(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions, "patient-7")
    await sessions.wipe(session.id)
    with pytest.raises(SessionNotFound):
        await sessions.consent(session, "1", True)
    assert await said(store, "patient-7") == []


@pytest.mark.proves("consent")
async def test_the_proof_outlives_the_conversation_and_names_nobody(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    await sessions.consent(session, "1", True)
    await sessions.wipe(session.id)
    assert len(await said(store, f"session:{session.id}")) == 2
    columns = await store.read(lambda db: db.execute("SELECT * FROM consents").fetchall())
    assert session.id not in repr(columns)


async def test_programs_and_the_command_line_consent_for_nobody(store: Store, sessions: Sessions) -> None:
    session = await sessions.vouch(await begin(sessions), "1")
    assert session.consented
    assert await store.read(lambda db: db.execute("SELECT count(*) FROM consents").fetchone()[0]) == 0


async def test_people_are_told_apart(store: Store, sessions: Sessions) -> None:
    await sessions.consent(await begin(sessions, "patient-7"), "1", True)
    await sessions.consent(await begin(sessions, "patient-8"), "2", None)
    assert await said(store, "patient-8") == [("notice", "2", True)]
    assert await said(store, "patient-9") == []


async def test_the_newest_are_shown_in_order(store: Store) -> None:
    def many(count: int) -> list[Consent]:
        return [Consent(Purpose.NOTICE, "1", given=True, at_ms=number) for number in range(count)]

    for consent in many(SHOWN_MAX):
        await store.write(lambda db, consent=consent: consents.add(db, b"d", consent))
    assert await store.read(lambda db: consents.of(db, b"d")) == many(SHOWN_MAX)
    await store.write(lambda db: consents.add(db, b"d", Consent(Purpose.NOTICE, "1", True, SHOWN_MAX)))
    assert await store.read(lambda db: consents.of(db, b"d")) == many(SHOWN_MAX + 1)[1:]


@pytest.mark.proves("notice")
async def test_words_are_kept_once_under_their_version(store: Store) -> None:
    await store.write(lambda db: consents.keep_words(db, "1", "You talk to an AI.", 5))
    await store.write(lambda db: consents.keep_words(db, "1", "something else", 6))
    assert await store.read(lambda db: consents.words(db, "1")) == "You talk to an AI."
    assert await store.read(lambda db: consents.words(db, "2")) is None
