"""Erasing people: all of it, at once, whatever stops the node on the way, and again after a restore."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edge.chat import session_rows
from edge.chat.session import Channel
from edge.chat.session_rows import SessionNotFound
from edge.config import site_paths
from edge.privacy.erasure import Beside, Erasure
from edge.store.connection import connect
from tests.unit.edge.privacy.erasure_rig import (
    OFFICER,
    PATIENT,
    audited,
    genuine,
    known,
    open_site,
)


@pytest.mark.proves("erasure")
async def test_everything_goes_and_a_signed_receipt_says_so(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit("other")
        others, keys = await site.counts(), await site.keys()
        new, number = await site.visit(PATIENT)
        await site.visit(PATIENT)
        receipt = genuine(site, await site.erasure.erase(PATIENT, OFFICER))
        assert await site.counts() == others
        assert await site.keys() == keys
        store = site.desk.store
        assert receipt["subject"] == store.digests.of(PATIENT).hex()
        assert (receipt["found"], receipt["keys_shredded"], receipt["conversations_ended"]) == (True, 3, 2)
        assert receipt["removed"] == {
            "subjects": 1, "sessions": 2, "turns": 2, "citations": 2, "pseudonyms": 2, "feedback": 2,
            "handoffs": 2, "messages": 8, "notifications": 2,
        }  # fmt: skip
        assert receipt["unlinked"] == {"consents": 4, "lan_uses": 2, "text_uses": 2}
        assert (receipt["logs_emptied"], receipt["backups"]) == (True, [])
        assert site.emptied == [None]
        assert PATIENT not in json.dumps(receipt)
        assert number not in json.dumps(receipt)
        with pytest.raises(SessionNotFound):
            await site.desk.sessions.get(new.session.id, new.token)
        (erased,) = await site.erasure.erasures()
        assert (erased.digest, erased.receipt) == (store.digests.of(PATIENT), receipt)


@pytest.mark.proves("erasure")
async def test_the_audit_tells_of_it_and_names_nobody(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        await site.erasure.erase(PATIENT, OFFICER)
        label = site.desk.store.digests.label(PATIENT)
        assert label.startswith("subject:")
        assert await audited(site) == [
            (OFFICER, "privacy.erase", label, "begun"),
            (OFFICER, "privacy.erase", label, "done"),
        ]


@pytest.mark.proves("erasure")
async def test_the_logs_of_both_files_are_empty_afterwards(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        sizes: list[int] = []
        files = (site_paths(tmp_path).store, site_paths(tmp_path).subject_keys)
        tidy = site.desk.store.tidy

        async def look(*, all_pages: bool) -> bool:
            done = await tidy(all_pages=all_pages)
            sizes.extend(path.with_name(f"{path.name}-wal").stat().st_size for path in files)
            return done

        site.desk.store.tidy = look  # type: ignore[method-assign]
        await site.erasure.erase(PATIENT, OFFICER)
        assert sizes == [0, 0]


async def test_a_reader_in_the_way_is_told_in_the_receipt(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        reader = connect(site_paths(tmp_path).store, site.desk.store.keys.store)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sessions").fetchone()
        receipt = await site.erasure.erase(PATIENT, OFFICER)
        assert (receipt["logs_emptied"], receipt["found"]) == (False, True)
        reader.conn.close()
        assert (await site.erasure.erase(PATIENT, OFFICER))["logs_emptied"] is True


async def test_somebody_whose_conversation_is_long_over_still_has_a_ticket(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit()
        await site.desk.sessions.wipe(new.session.id)
        assert await site.keys() == [f"ticket:{number}"]
        receipt = await site.erasure.erase(f"session:{new.session.id}", OFFICER)
        assert receipt["removed"] == {"handoffs": 1, "messages": 4, "notifications": 1}
        assert await site.keys() == []


@pytest.mark.parametrize("subject", [PATIENT, None])
@pytest.mark.parametrize("named_by", ["session", "ticket"])
async def test_a_conversation_or_a_ticket_names_its_person(
    tmp_path: Path, subject: str | None, named_by: str
) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        new, number = await site.visit(subject)
        name = f"session:{new.session.id}" if named_by == "session" else f"ticket:{number}"
        await site.erasure.erase(name, OFFICER)
        assert (await site.counts())["sessions"] == (0 if subject else 1)


async def test_nobody_is_found_and_is_on_the_list_all_the_same(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit("other")
        receipt = genuine(site, await site.erasure.erase(PATIENT, OFFICER))
        assert (receipt["found"], receipt["removed"], receipt["keys_shredded"]) == (False, {}, 0)
        assert [erased.digest for erased in await site.erasure.erasures()] == [
            site.desk.store.digests.of(PATIENT)
        ]


@pytest.mark.proves("erasure")
async def test_a_turn_under_way_neither_goes_on_nor_is_kept(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(PATIENT)
        session = new.session
        await site.desk.sessions.consent(session, "v1", overflow=False)
        session = await site.desk.sessions.get(session.id, new.token)
        with site.desk.sessions.claim(session):
            site.desk.sessions.require_open(session)
            await site.erasure.erase(PATIENT, OFFICER)
            with pytest.raises(SessionNotFound):
                site.desk.sessions.require_open(session)
            with pytest.raises(SessionNotFound):
                await site.desk.store.write(lambda db: session_rows.require_open(db, session.id))
        assert len(site.desk.sessions) == 0


async def test_who_comes_meanwhile_waits_and_is_somebody_new(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        async with site.desk.sessions.closed(PATIENT) as ended:
            assert ended == 1
            coming = asyncio.create_task(site.desk.sessions.create(Channel.API, "en", PATIENT))
            other = await site.desk.sessions.create(Channel.API, "en", "other")
            assert not coming.done()
            assert site.desk.sessions.is_open(other.session.id)
        assert (await coming).session.key.subject == PATIENT
        assert not site.desk.sessions._doors  # nobody's door is kept


async def test_what_is_asked_while_a_conversation_is_being_forgotten_does_not_find_it(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(PATIENT)
        async with site.desk.sessions.closed(PATIENT):
            with pytest.raises(SessionNotFound):
                await site.desk.sessions.get(new.session.id, new.token)
        # Nothing was taken away: as if the erasure had been refused.
        assert (await site.desk.sessions.get(new.session.id, new.token)).id == new.session.id


async def test_two_who_ask_at_once_both_get_a_receipt(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        first, second = await asyncio.gather(*(site.erasure.erase(PATIENT, OFFICER) for _ in range(2)))
        assert sorted([first["found"], second["found"]], key=str) == [False, True]
        for receipt in (first, second):
            genuine(site, receipt)


@pytest.mark.proves("erasure")
async def test_the_keys_beside_a_backup_know_them_no_more(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        await site.visit(PATIENT)
        await site.back_up(tmp_path / "vault.age")
        assert PATIENT in known(tmp_path, tmp_path / "vault.age")
        await site.erasure.erase(PATIENT, OFFICER)
        assert known(tmp_path, tmp_path / "vault.age") == set()


async def test_the_keys_beside_backups_are_in_the_receipt(tmp_path: Path) -> None:
    files = [
        {"backup": "b1", "made_ms": 5, "keys_file": "rewritten"},
        {"backup": "b2", "keys_file": "not reached"},
    ]

    async def rewrite() -> list[dict[str, object]]:
        return files

    async with open_site(tmp_path) as site:
        desk = site.desk
        erasure = Erasure(desk.store, "Clinic", desk.sessions, Beside(keys_files=rewrite))
        assert (await erasure.erase(PATIENT, OFFICER))["backups"] == files
