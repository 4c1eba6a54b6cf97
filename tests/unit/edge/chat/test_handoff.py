"""Tickets from both sides: durable and sealed, one conversation with staff, forgotten when over; limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from edge.chat.bell import STREAM_S, TooManyStreams
from edge.chat.handoff import (
    CLOSED_KEPT_MS,
    MS_PER_HOUR,
    ROW_KEPT_MS,
    STRAY_KEY_MS,
    DeskFull,
    Ended,
    News,
    StaffMessage,
    StateChanged,
    TooManyTickets,
    TurnNotFound,
)
from edge.chat.inbox import EmptyReply
from edge.chat.session import Session
from edge.chat.session_rows import now_ms
from edge.chat.ticket_states import TicketOver, TicketState
from edge.chat.tickets import TEXT_CHARS_MAX, NoSuchTicket, TicketFull, new_key
from edge.chat.turn import EmptyQuestion, TextTooLong
from edge.config import HandoffSection, SmtpSection
from tests.unit.edge.chat.desk_rig import ANSWER, QUESTION, Rig, rig

ANNA = "Anna Berg"


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made


class Follower:
    """A page that follows a conversation."""

    def __init__(self, desk: Rig, session: Session, after_id: int = 0) -> None:
        self._news = desk.handoffs.follow(session, after_id)

    async def next(self) -> News:
        """The next that is not a heartbeat."""
        async with asyncio.timeout(30):
            async for news in self._news:
                if news is not None:
                    return news
        raise EOFError

    async def close(self) -> None:
        await self._news.aclose()


async def test_a_ticket_holds_what_was_asked_and_shown(desk: Rig) -> None:
    session = await desk.arrive()
    turn = await desk.turn(session)
    ticket = await desk.handoffs.request(session, turn)
    assert (ticket.state, ticket.queue, len(ticket.number)) == (TicketState.WAITING, "desk", 6)
    assert await desk.handoffs.request(session, turn) == ticket
    shown = await desk.inbox.show(ticket.number, ANNA)
    assert [(m.sender, m.text) for m in shown.messages] == [("customer", QUESTION), ("desk", ANSWER)]
    assert shown.entry.here


async def test_two_presses_at_once_make_one_ticket_and_leave_one_key(desk: Rig) -> None:
    session = await desk.arrive()
    turn = await desk.turn(session)
    made = await asyncio.gather(*(desk.handoffs.request(session, turn) for _ in range(5)))
    assert len({ticket.number for ticket in made}) == 1
    assert await desk.count("handoffs") == 1
    assert await desk.store.read_keys(lambda keys: keys["subject_keys"].count) == 2


async def test_the_intent_names_the_desk(desk: Rig) -> None:
    session = await desk.arrive()
    ticket = await desk.handoffs.request(session, await desk.turn(session, queue="cash"))
    assert ticket.queue == "cash"
    assert [e.ticket.number for e in await desk.inbox.list(queue="cash")] == [ticket.number]
    assert await desk.inbox.list(queue="desk") == []


async def test_a_turn_of_another_conversation_is_none(desk: Rig) -> None:
    mine, other = await desk.arrive(), await desk.arrive()
    turn = await desk.turn(mine)
    with pytest.raises(TurnNotFound):
        await desk.handoffs.request(other, turn)
    # The key that was made for it is gone again.
    assert await desk.store.read_keys(lambda keys: keys["subject_keys"].count) == 2


async def test_from_the_machine_to_a_person_and_back(desk: Rig) -> None:
    session = await desk.arrive()
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    page = Follower(desk, session)
    assert await page.next() == StateChanged(number, "waiting", None)
    await desk.inbox.take(number, ANNA)
    assert await page.next() == StateChanged(number, "human", "Anna")
    await desk.inbox.reply(number, ANNA, "  Parrots may not come in.  ")
    said = await page.next()
    assert isinstance(said, StaffMessage)
    assert (said.ticket, said.operator, said.text) == (number, "Anna", "Parrots may not come in.")
    await desk.handoffs.write(session, "Not even Zacharias?")
    assert (await desk.inbox.show(number, ANNA)).messages[-1].text == "Not even Zacharias?"
    await desk.inbox.close(number, ANNA)
    assert await page.next() == StateChanged(number, "closed", "Anna")
    with pytest.raises(TicketOver):
        await desk.handoffs.write(session, "And a budgerigar?")
    again = await desk.handoffs.request(session, await desk.turn(session))
    assert again.number != number
    await page.close()


async def test_a_page_that_was_away_misses_nothing_and_hears_nothing_twice(desk: Rig) -> None:
    session = await desk.arrive()
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    first = await desk.inbox.reply(number, ANNA, "one")
    await desk.inbox.reply(number, ANNA, "two")
    page = Follower(desk, session, after_id=first)
    said = await page.next()
    assert isinstance(said, StaffMessage)
    assert said.text == "two"
    assert await page.next() == StateChanged(number, "human", "Anna")
    await page.close()


@pytest.mark.proves("audit")
async def test_each_view_and_change_by_staff_is_a_row_of_audit(desk: Rig) -> None:
    session = await desk.arrive()
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    await desk.inbox.show(number, ANNA)
    await desk.inbox.take(number, ANNA)
    await desk.inbox.reply(number, "Ben", "Hello.")
    await desk.inbox.close(number, ANNA)
    with pytest.raises(TicketOver):
        await desk.inbox.take(number, ANNA)
    rows = await desk.store.read(
        lambda db: db.execute("SELECT actor, action, object, outcome FROM audit ORDER BY id").fetchall()
    )
    assert rows == [
        (ANNA, "inbox.show", number, "done"),
        (ANNA, "inbox.take", number, "done"),
        ("Ben", "inbox.reply", number, "done"),
        (ANNA, "inbox.close", number, "done"),
    ]


async def test_the_display_name_of_an_operator_is_what_customers_see(desk: Rig) -> None:
    await desk.store.write(
        lambda db: db.execute(
            "INSERT INTO operators(name, role, display_name, created_ms) VALUES ('aberg', 'desk', 'Anna', 0)"
        )
    )
    session = await desk.arrive()
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    await desk.inbox.take(number, "aberg")
    page = Follower(desk, session)
    assert await page.next() == StateChanged(number, "human", "Anna")
    await page.close()


async def test_the_ticket_stays_when_the_conversation_is_wiped(desk: Rig) -> None:
    session = await desk.arrive()
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    page = Follower(desk, session)
    await page.next()
    await desk.sessions.wipe(session.id)
    assert await page.next() == Ended()
    shown = await desk.inbox.show(number, ANNA)
    assert shown.messages[0].text == QUESTION
    assert (shown.entry.here, shown.entry.ticket.session) == (False, "")
    await desk.inbox.reply(number, ANNA, "Please come to desk 2.")


@pytest.mark.proves("tickets")
async def test_the_customer_takes_it_back(desk: Rig) -> None:
    session = await desk.arrive()
    turn = await desk.turn(session)
    number = (await desk.handoffs.request(session, turn)).number
    await desk.handoffs.withdraw(session, turn)
    shown = await desk.inbox.show(number, ANNA)
    assert (shown.entry.ticket.state, shown.messages) == (TicketState.WITHDRAWN, ())
    assert await desk.count("messages") == 0
    assert await desk.store.read_keys(lambda keys: keys["subject_keys"].count) == 1
    for act in (desk.inbox.take(number, ANNA), desk.inbox.reply(number, ANNA, "x")):
        with pytest.raises(TicketOver):
            await act
    with pytest.raises(TicketOver):
        await desk.handoffs.withdraw(session, turn)
    again = await desk.handoffs.request(session, turn)
    assert (again.state, again.number == number) == (TicketState.WAITING, False)
    await desk.handoffs.withdraw(session, turn)


@pytest.mark.proves("tickets")
async def test_what_was_said_is_forgotten_a_minute_after_closing_and_the_row_a_day_later(desk: Rig) -> None:
    session = await desk.arrive()
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    await desk.inbox.close(number, ANNA)
    closed_ms = (await desk.inbox.show(number, ANNA)).entry.ticket.changed_ms
    await desk.handoffs.sweep_once(closed_ms + CLOSED_KEPT_MS - 1)
    assert await desk.count("messages") == 2
    await desk.handoffs.sweep_once(closed_ms + CLOSED_KEPT_MS)
    assert await desk.count("messages") == 0
    assert await desk.store.read_keys(lambda keys: keys["subject_keys"].count) == 1
    assert (await desk.inbox.show(number, ANNA)).messages == ()
    await desk.handoffs.sweep_once(closed_ms + ROW_KEPT_MS)
    with pytest.raises(NoSuchTicket):
        await desk.inbox.show(number, ANNA)


@pytest.mark.proves("tickets")
@pytest.mark.parametrize(("ms", "state"), [(-1, TicketState.WAITING), (0, TicketState.EXPIRED)])
async def test_nobody_came(desk: Rig, ms: int, state: TicketState) -> None:
    session = await desk.arrive()
    ticket = await desk.handoffs.request(session, await desk.turn(session))
    page = Follower(desk, session)
    await page.next()
    await desk.handoffs.sweep_once(ticket.created_ms + HandoffSection().keep_h * MS_PER_HOUR + ms)
    shown = await desk.inbox.show(ticket.number, ANNA)
    assert shown.entry.ticket.state is state
    assert len(shown.messages) == (2 if state is TicketState.WAITING else 0)
    if state is TicketState.EXPIRED:
        assert await page.next() == StateChanged(ticket.number, "expired", None)
    await page.close()


@pytest.mark.proves("tickets")
async def test_a_key_that_a_crash_left_without_a_ticket_is_shredded(desk: Rig) -> None:
    await desk.store.write_keys(new_key)
    await desk.handoffs.sweep_once(now_ms())
    assert await desk.store.read_keys(lambda keys: keys["subject_keys"].count) == 1
    await desk.handoffs.sweep_once(now_ms() + STRAY_KEY_MS + 1000)
    assert await desk.store.read_keys(lambda keys: keys["subject_keys"].count) == 0


async def test_limits_of_tickets_and_messages(tmp_path: Path) -> None:
    settings = HandoffSection(tickets_per_session_max=2, waiting_max=3, messages_max=4)
    async with rig(tmp_path, settings) as desk:
        one, two, three = await desk.arrive(), await desk.arrive(), await desk.arrive()
        turns = [await desk.turn(one) for _ in range(3)]
        number = (await desk.handoffs.request(one, turns[0])).number
        await desk.handoffs.request(one, turns[1])
        with pytest.raises(TooManyTickets):
            await desk.handoffs.request(one, turns[2])
        await desk.handoffs.request(two, await desk.turn(two))
        last = await desk.turn(three)
        with pytest.raises(DeskFull) as full:
            await desk.handoffs.request(three, last)
        assert full.value.retry_after_s
        await desk.inbox.reply(number, ANNA, "three")
        await desk.inbox.reply(number, ANNA, "four")
        with pytest.raises(TicketFull):
            await desk.inbox.reply(number, ANNA, "five")
        await desk.inbox.close(number, ANNA)
        await desk.handoffs.request(three, last)


async def test_words_that_are_none_or_too_many(desk: Rig) -> None:
    session = await desk.arrive()
    with pytest.raises(TurnNotFound):
        await desk.handoffs.write(session, "hello?")
    number = (await desk.handoffs.request(session, await desk.turn(session))).number
    with pytest.raises(EmptyReply):
        await desk.inbox.reply(number, ANNA, " \n")
    with pytest.raises(EmptyQuestion):
        await desk.handoffs.write(session, " ")
    await desk.inbox.reply(number, ANNA, "x" * TEXT_CHARS_MAX)
    await desk.handoffs.write(session, "x" * TEXT_CHARS_MAX)
    with pytest.raises(TextTooLong):
        await desk.inbox.reply(number, ANNA, "x" * (TEXT_CHARS_MAX + 1))
    with pytest.raises(TextTooLong):
        await desk.handoffs.write(session, "x" * (TEXT_CHARS_MAX + 1))


async def test_streams_are_bounded_and_the_newest_of_a_conversation_wins(tmp_path: Path) -> None:
    async with rig(tmp_path, streams_max=3) as desk:
        one, two, three = await desk.arrive(), await desk.arrive(), await desk.arrive()
        async with (
            aclosing(desk.handoffs.follow(one, 0)) as oldest,
            aclosing(desk.handoffs.follow(one, 0)) as second,
            aclosing(desk.handoffs.follow(one, 0)) as third,
            aclosing(desk.handoffs.follow(two, 0)) as other,
            aclosing(desk.handoffs.follow(three, 0)) as refused,
        ):
            for stream in (oldest, second, third):
                assert await anext(stream) is None
            with pytest.raises(StopAsyncIteration):
                await anext(oldest)
            assert await anext(other) is None
            assert len(desk.bell) == 3
            with pytest.raises(TooManyStreams) as full:
                await anext(refused)
            assert full.value.retry_after_s == STREAM_S
        assert len(desk.bell) == 0


async def test_streams_end_with_the_node_and_after_their_time(desk: Rig) -> None:
    session = await desk.arrive()
    page = desk.handoffs.follow(session, 0)
    assert await anext(page) is None
    desk.clock.now_s += STREAM_S
    with pytest.raises(StopAsyncIteration):
        await anext(page)
    page = desk.handoffs.follow(await desk.arrive(), 0)
    assert await anext(page) is None
    desk.bell.close()
    with pytest.raises(StopAsyncIteration):
        await anext(page)


async def test_who_is_told_waits_in_the_tickets_own_transaction(tmp_path: Path) -> None:
    settings = HandoffSection(smtp=SmtpSection(host="127.0.0.1", security="none", recipients=("desk@site",)))
    async with rig(tmp_path, settings) as desk:
        session = await desk.arrive()
        number = (await desk.handoffs.request(session, await desk.turn(session))).number
        (entry,) = await desk.inbox.list()
        assert (entry.ticket.number, entry.told) == (number, {"mail": "pending"})
