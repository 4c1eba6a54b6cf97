"""Pseudonyms in the store: sealed, bound to their place, found again, wiped."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from edge.chat import session_rows
from edge.chat.session import Channel, Session, Sessions
from edge.config import LimitsSection
from edge.privacy.pseudonyms import vault
from edge.privacy.pseudonyms.errors import VaultDamaged
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from edge.privacy.pseudonyms.vault import Vault
from edge.store.store import Store
from tests.unit.edge.privacy.pseudonyms.texts import nothing_else, token_of

PURPOSE = "overflow"
# What the store must not show in clear.
NAME = "Anna Kanarienvogel"


@pytest.fixture
def sessions(store: Store) -> Sessions:
    return Sessions(store, LimitsSection())


async def begin(sessions: Sessions, subject: str | None = None) -> Session:
    return (await sessions.create(Channel.KIOSK, "en", subject)).session


async def rows(store: Store) -> list[tuple[object, ...]]:
    return await store.read(lambda db: db.execute("SELECT * FROM pseudonyms ORDER BY ordinal").fetchall())


async def test_a_conversation_that_goes_on_finds_its_tokens(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    pseudonyms = await (first := Vault(store, "clinic")).open(session.id, session.key, PURPOSE)
    tokens = [
        token_of(pseudonyms, type_, value) for type_, value in (("PERSON", NAME), ("EMAIL", "a\n€@x.org"))
    ]
    await first.keep(pseudonyms, session.key, nothing_else)
    again = await Vault(store, "clinic").open(session.id, session.key, PURPOSE)
    assert [again.restore(token) for token in tokens] == [NAME, "a\n€@x.org"]
    assert token_of(again, "PERSON", "Frau Kanarienvogel") == tokens[0]


async def test_tokens_of_later_turns_are_added(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    kept = Vault(store, "clinic")
    for turn in range(3):
        pseudonyms = await kept.open(session.id, session.key, PURPOSE)
        token_of(pseudonyms, "EMAIL", f"{turn}@x.org")
        await kept.keep(pseudonyms, session.key, nothing_else)
        await kept.keep(pseudonyms, session.key, nothing_else)
    assert [row[2] for row in await rows(store)] == [0, 1, 2]
    pseudonyms = await (later := Vault(store, "clinic")).open(session.id, session.key, PURPOSE)
    token_of(pseudonyms, "EMAIL", "later@x.org")
    await later.keep(pseudonyms, session.key, nothing_else)
    assert len(await Vault(store, "clinic").open(session.id, session.key, PURPOSE)) == 4


async def test_what_a_title_told_is_remembered(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    pseudonyms = await (first := Vault(store, "clinic")).open(session.id, session.key, PURPOSE)
    kim = token_of(pseudonyms, "PERSON", "Kim Smith")
    assert token_of(pseudonyms, "PERSON", "Mr Smith") == kim
    await first.keep(pseudonyms, session.key, nothing_else)
    again = await Vault(store, "clinic").open(session.id, session.key, PURPOSE)
    assert (len(again), again.restore(kim)) == (1, "Kim Smith")
    assert token_of(again, "PERSON", "Mrs Smith") != kim


@pytest.mark.proves("pseudonyms")
async def test_the_value_is_in_no_column(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    pseudonyms = await (kept := Vault(store, "clinic")).open(session.id, session.key, PURPOSE)
    token = token_of(pseudonyms, "PERSON", NAME)
    await kept.keep(pseudonyms, session.key, nothing_else)
    shown = repr(await rows(store))
    assert NAME not in shown
    assert token[-9:-1] not in shown


@pytest.mark.proves("pseudonyms")
async def test_wiping_the_conversation_wipes_its_tokens(store: Store, sessions: Sessions) -> None:
    kept = Vault(store, "clinic")
    sessions.on_end.append(kept.forget)
    one, other = await begin(sessions), await begin(sessions)
    for session in (one, other):
        for purpose in (PURPOSE, "ticket"):
            pseudonyms = await kept.open(session.id, session.key, purpose)
            token_of(pseudonyms, "PERSON", NAME)
            await kept.keep(pseudonyms, session.key, nothing_else)
    late = await kept.open(one.id, one.key, PURPOSE)
    await sessions.wipe(one.id)
    assert {row[0] for row in await rows(store)} == {other.id}
    token_of(late, "EMAIL", "late@x.org")
    await kept.keep(late, one.key, nothing_else)
    assert {row[0] for row in await rows(store)} == {other.id}
    assert len(await kept.open(one.id, one.key, PURPOSE)) == 0


async def test_tokens_minted_for_a_conversation_that_is_gone_are_not_kept(
    store: Store, sessions: Sessions
) -> None:
    session = await begin(sessions)
    pseudonyms = await (kept := Vault(store, "clinic")).open(session.id, session.key, PURPOSE)
    token_of(pseudonyms, "PERSON", NAME)
    await store.write(lambda db: session_rows.delete(db, session.id))
    await kept.keep(pseudonyms, session.key, nothing_else)
    assert await rows(store) == []


MOVED = {
    "another conversation": "UPDATE pseudonyms SET session = (SELECT id FROM sessions WHERE id != session)",
    "another purpose": "UPDATE pseudonyms SET purpose = 'ticket'",
    "another type": "UPDATE pseudonyms SET type = 'EMAIL' WHERE ordinal = 0",
    "another place": "UPDATE pseudonyms SET ordinal = ordinal + 5",
    "the first one gone": "DELETE FROM pseudonyms WHERE ordinal = 0",
    "an altered value": "UPDATE pseudonyms SET body = CAST(substr(body, 1, 20) || x'0102' || substr(body, 23) AS BLOB)",
}


@pytest.mark.proves("pseudonyms")
@pytest.mark.parametrize("change", MOVED.values(), ids=MOVED.keys())
async def test_what_was_moved_or_altered_does_not_open(store: Store, sessions: Sessions, change: str) -> None:
    # Both conversations are of one subject, and so under one key: what binds is the place.
    one, other = await begin(sessions, "subject"), await begin(sessions, "subject")
    pseudonyms = await (kept := Vault(store, "clinic")).open(one.id, one.key, PURPOSE)
    for value in (NAME, "Berta Beispiel"):
        token_of(pseudonyms, "PERSON", value)
    await kept.keep(pseudonyms, one.key, nothing_else)
    await store.write(lambda db: db.execute(change))
    again = Vault(store, "clinic")
    places = [(session, purpose) for session in (one, other) for purpose in (PURPOSE, "ticket")]
    opened = [await damage(again.open(session.id, session.key, purpose)) for session, purpose in places]
    assert "pseudonyms_damaged" in opened
    assert NAME not in repr(opened)


async def damage(opening: Awaitable[Pseudonyms]) -> str:
    """The code of what goes wrong when a vault is opened; "" if nothing does and it is empty."""
    try:
        assert len(await opening) == 0
    except VaultDamaged as error:
        return f"{error.code}{'' if NAME not in f'{error!r} {error.__context__!r}' else NAME}"
    return ""


@pytest.mark.proves("pseudonyms")
async def test_another_site_does_not_open_it(store: Store, sessions: Sessions) -> None:
    session = await begin(sessions)
    pseudonyms = await (kept := Vault(store, "clinic")).open(session.id, session.key, PURPOSE)
    token_of(pseudonyms, "PERSON", NAME)
    await kept.keep(pseudonyms, session.key, nothing_else)
    with pytest.raises(VaultDamaged):
        await Vault(store, "bank").open(session.id, session.key, PURPOSE)


async def test_what_is_held_in_memory_is_bounded(
    store: Store, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "HELD_MAX", 2)
    kept, session = Vault(store, "clinic"), await begin(sessions)
    first = await kept.open(session.id, session.key, "a")
    token_of(first, "PERSON", NAME)
    await kept.keep(first, session.key, nothing_else)
    for purpose in ("b", "c"):
        await kept.open(session.id, session.key, purpose)
    again = await kept.open(session.id, session.key, "a")
    assert again is not first
    assert len(again) == 1
