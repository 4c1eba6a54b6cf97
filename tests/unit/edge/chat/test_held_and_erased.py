"""Conversations and tickets of people who are under a legal hold, or are erased while somebody answers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlcipher3 import OperationalError

from edge.chat.handoff import CLOSED_KEPT_MS, MS_PER_HOUR, ROW_KEPT_MS, Ended
from edge.chat.session import Channel
from edge.chat.session_rows import SessionNotFound, now_ms
from edge.chat.tickets import Ticket
from edge.chat.turn import Delta, Desk, Final, Meta
from edge.config import Config
from edge.config.site import SiteSection
from models.detect.detector import Detector
from tests.unit.edge.privacy.erasure_rig import OFFICER, PATIENT, Site, open_site

# Long after everything of a ticket would have gone.
MUCH_LATER_MS = 720 * MS_PER_HOUR + ROW_KEPT_MS + CLOSED_KEPT_MS + 1


@pytest.mark.parametrize("subject", [PATIENT, None], ids=["named", "anonymous"])
async def test_a_held_conversation_ends_and_is_kept(tmp_path: Path, subject: str | None) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(subject)
        before, keys = await site.counts(), await site.keys()
        await site.erasure.hold(subject or f"session:{new.session.id}", "case 12", OFFICER)
        told: list[str] = []
        site.desk.sessions.on_end.append(told.append)
        assert await site.desk.sessions.wipe(new.session.id) is False
        assert told == [new.session.id]
        assert (await site.counts(), await site.keys()) == (before, keys)
        assert len(site.desk.sessions) == 0
        with pytest.raises(SessionNotFound):
            await site.desk.sessions.get(new.session.id, new.token)
        with pytest.raises(SessionNotFound):
            await site.desk.sessions.consent(new.session, "v2", overflow=True)


async def test_a_held_conversation_outlives_sweeps_and_a_start_and_goes_on_release(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(PATIENT)
        await site.erasure.hold(PATIENT, "case 12", OFFICER)
        await site.desk.sessions.wipe(new.session.id)
        before = await site.counts()
        await site.desk.sessions.sweep_once()
        assert await site.counts() == before
    async with open_site(tmp_path) as site:
        await site.desk.sessions.sweep_once()
        assert await site.counts() == before
        with pytest.raises(SessionNotFound):
            await site.desk.sessions.get(new.session.id, new.token)
        await site.erasure.release(PATIENT, OFFICER)
        await site.desk.sessions.sweep_once()
        after = await site.counts()
        assert (after["sessions"], after["turns"], after["feedback"]) == (0, 0, 0)


async def test_whoever_is_held_may_come_again(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(PATIENT)
        await site.erasure.hold(PATIENT, "case 12", OFFICER)
        await site.desk.sessions.wipe(new.session.id)
        again = await site.desk.sessions.create(Channel.API, "en", PATIENT)
        await site.desk.sessions.sweep_once()
        assert site.desk.sessions.is_open(again.session.id)
        # On release only what has ended goes.
        await site.erasure.release(PATIENT, OFFICER)
        await site.desk.sessions.sweep_once()
        assert site.desk.sessions.is_open(again.session.id)
        assert (await site.counts())["sessions"] == 1


@pytest.mark.parametrize("held_as", ["subject", "ticket"])
async def test_a_held_ticket_is_over_and_is_kept(tmp_path: Path, held_as: str) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit(PATIENT)
        _, others = await site.visit("other")
        await site.erasure.hold(PATIENT if held_as == "subject" else f"ticket:{number}", "case 12", OFFICER)
        for ticket in (number, others):
            await site.desk.inbox.close(ticket, "anna")
        for at_ms in (now_ms() + CLOSED_KEPT_MS, now_ms() + MUCH_LATER_MS):
            await site.desk.handoffs.sweep_once(at_ms)
        said = (await site.desk.inbox.show(number, "anna")).messages
        assert len(said) == 4
        assert f"ticket:{others}" not in await site.keys()
        rows = await site.counts()
        assert (rows["handoffs"], rows["messages"], rows["notifications"]) == (1, 4, 1)
        await site.erasure.release(PATIENT, OFFICER)
        await site.desk.handoffs.sweep_once(now_ms() + MUCH_LATER_MS)
        assert (await site.counts())["handoffs"] == 0
        assert f"ticket:{number}" not in await site.keys()
        assert site.desk.sessions.is_open(new.session.id)


async def test_a_held_ticket_that_is_taken_back_is_kept(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, number = await site.visit(PATIENT)
        await site.erasure.hold(PATIENT, "case 12", OFFICER)
        turn = await site.desk.store.read(lambda db: db.execute("SELECT turn FROM handoffs").fetchone()[0])
        await site.desk.handoffs.withdraw(new.session, turn)
        shown = await site.desk.inbox.show(number, "anna")
        assert (shown.entry.ticket.state, len(shown.messages)) == ("withdrawn", 4)


async def test_a_page_that_follows_its_ticket_is_told_that_it_is_over(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(PATIENT)
        news = site.desk.handoffs.follow(new.session, 0)
        assert await anext(news) is None
        await site.erasure.erase(PATIENT, OFFICER)
        assert [one async for one in news] == [Ended()]


class Erasing:
    """The line of turns, and the answer, of a desk whose customer is erased in the middle: `where`."""

    ended = 0

    def __init__(self, site: Site, where: str) -> None:
        self._site = site
        self._where = where

    async def submit(self, _: object, **__: object) -> Any:
        await self._erase("understanding")
        question = SimpleNamespace(embedding=None, leans=False)
        understood = SimpleNamespace(question=question, scanned=None, encoder="", intent=None)
        return SimpleNamespace(understood=understood)

    async def answer(self, *_: object) -> AsyncGenerator[Delta, None]:
        yield Delta("We open ")
        await self._erase("writing")
        yield Delta("at nine.")

    async def _erase(self, here: str) -> None:
        if here == self._where:
            await self._site.erasure.erase(PATIENT, OFFICER)


@pytest.mark.parametrize(("where", "shown"), [("understanding", []), ("writing", [Delta("We open ")])])
async def test_nothing_more_is_shown_of_an_answer_to_somebody_who_was_erased(
    tmp_path: Path, where: str, shown: list[Delta], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit(PATIENT)
        erasing = Erasing(site, where)
        desk = Desk(
            Config(site=SiteSection(name="Clinic", id="clinic")),
            site.desk.sessions,
            erasing,  # type: ignore[arg-type]
            SimpleNamespace(),  # type: ignore[arg-type]
            Detector("US"),
        )
        monkeypatch.setattr(desk, "_answer", erasing.answer)
        session = await site.desk.sessions.get(new.session.id, new.token)
        seen: list[Meta | Delta | Final] = []

        async def read() -> None:
            async for happened in desk.turn(session, "When are you open on Saturday?"):
                seen.append(happened)

        with pytest.raises(SessionNotFound):
            await read()
        assert seen[1:] == shown
        assert not any((await site.counts()).values())
        assert not await site.keys()


async def test_a_hold_that_is_placed_while_tickets_are_swept_keeps_the_ticket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site:
        _, first = await site.visit("other")
        _, number = await site.visit(PATIENT)
        for ticket in (first, number):
            await site.desk.inbox.close(ticket, "anna")
        forget = site.desk.handoffs.forget

        async def hold_meanwhile(ticket: Ticket) -> None:
            if ticket.number == first:
                await site.erasure.hold(PATIENT, "case 12", OFFICER)
            await forget(ticket)

        monkeypatch.setattr(site.desk.handoffs, "forget", hold_meanwhile)
        await site.desk.handoffs.sweep_once(now_ms() + MUCH_LATER_MS)
        assert len((await site.desk.inbox.show(number, "anna")).messages) == 4
        assert (await site.counts())["handoffs"] == 1


# --- a disk that is full ---


async def test_a_conversation_that_could_not_be_wiped_is_found_by_nobody_and_goes_with_the_next_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_site(tmp_path) as site:
        new, _ = await site.visit()
        sessions = site.desk.sessions

        async def full(_: object) -> None:
            raise OperationalError("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(site.desk.store, "write_keys", full)
            with pytest.raises(OperationalError):
                await sessions.wipe(new.session.id)
        with pytest.raises(SessionNotFound):
            await sessions.get(new.session.id, new.token)
        await sessions.sweep_once()
        assert (await site.counts())["sessions"] == 0
        assert f"session:{new.session.id}" not in await site.keys()


@pytest.mark.parametrize("part", ["sessions", "tickets"])
async def test_sweeps_outlive_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    async with open_site(tmp_path) as site:
        swept, looks = asyncio.Event(), 0

        async def full_at_first(*_: int) -> None:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise OperationalError("database or disk is full")
            swept.set()

        sweeper = site.desk.sessions if part == "sessions" else site.desk.handoffs
        monkeypatch.setattr(sweeper, "sweep_once", full_at_first)
        monkeypatch.setattr(
            f"edge.chat.{'session' if part == 'sessions' else 'handoff'}.SWEEP_INTERVAL_S", 0.0
        )
        tasks = [asyncio.create_task(sweeper.sweep()), asyncio.create_task(swept.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert swept.is_set()
        tasks[0].cancel()
