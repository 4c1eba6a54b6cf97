"""A customer asks for a human: a ticket with a number, what it hands over, and what comes back from staff.

A ticket is durable before its number is told, and so is every message before it is shown. Nothing here needs the
network: who is told of a ticket waits in the same transaction (edge/chat/notifications.py).
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat import notifications, tickets
from edge.chat.bell import Bell
from edge.chat.session import Session, Sessions
from edge.chat.session_rows import now_ms
from edge.chat.ticket_states import OPEN, Act
from edge.chat.tickets import Ticket
from edge.chat.turn import EmptyQuestion, TextTooLong
from edge.config import HandoffSection
from edge.privacy.holds import held_subjects, shred_unless_held
from edge.repeating import repeat
from edge.store import counters
from edge.store.store import Store
from edge.store.subjects import SubjectKey, load_key, of_ticket, shred_key

# A stream that has nothing to say says so this often, so that both ends notice a dead connection.
HEARTBEAT_S = 15.0
SWEEP_INTERVAL_S = 20.0
# The last words before closing still reach a screen that was away for a moment.
CLOSED_KEPT_MS = 60_000
# The row that says "closed", without content, outlives every open page of its conversation.
ROW_KEPT_MS = 24 * 3600 * 1000
# A key is made a moment before its ticket's row; one that is older and has none belongs to nothing.
STRAY_KEY_MS = 3600 * 1000
MS_PER_HOUR = 3600 * 1000


class TurnNotFound(PosternError):
    """The turn is not one of this conversation."""

    code = "turn_not_found"
    title = "There is no such answer in this conversation"
    remedy = "Ask again, then use the new answer's identifier."
    status = 404


class TooManyTickets(PosternError):
    """This conversation has as many open tickets as it may."""

    code = "too_many_tickets"
    title = "You have asked for a person several times already"
    remedy = "Keep the number that you have, or take one back first."
    status = 409


class DeskFull(PosternError):
    """More people wait for staff than the site allows."""

    code = "desk_full"
    title = "Very many people are waiting for our staff"
    remedy = "Please go to the front desk, or try again in a few minutes."
    status = 503
    # A ticket takes staff minutes.
    retry_after_s = 120


@dataclass(frozen=True, slots=True)
class StateChanged:
    """What the customer sees of a ticket. `operator`: the first name of who has it."""

    ticket: str
    state: str
    operator: str | None


@dataclass(frozen=True, slots=True)
class StaffMessage:
    """Something that staff wrote. `id` is where a stream goes on after it."""

    id: int
    ticket: str
    operator: str
    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation is over; nothing more comes."""


News = StateChanged | StaffMessage | Ended | None


class Handoffs:
    """The customer's side of tickets. `on_ticket` is called after one was made, to wake who tells staff."""

    def __init__(
        self,
        store: Store,
        sessions: Sessions,
        settings: HandoffSection,
        bell: Bell,
        on_ticket: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._settings = settings
        self._bell = bell
        self.on_ticket = on_ticket
        sessions.on_end.append(bell.ring)

    @property
    def keep_h(self) -> int:
        """Hours after which a ticket that nobody closed is forgotten."""
        return self._settings.keep_h

    async def request(self, session: Session, turn_id: str) -> Ticket:
        """Ask for a human about a turn; the same ticket when asked twice, another once that one is over.

        Raises TurnNotFound, TooManyTickets, DeskFull.
        """
        found = await self._store.read(lambda db: tickets.of_turn(db, turn_id, session.id))
        if found is not None and found.state in OPEN:
            return found
        number, key = await self._store.write_keys(tickets.new_key)
        try:
            ticket = await self._store.write(lambda db: self._insert(db, session, turn_id, number, key))
        except PosternError:
            await self._shred(number)
            raise
        if ticket.number != number:  # another request for the same turn was faster
            await self._shred(number)
        self._bell.ring(session.id)
        self.on_ticket()
        return ticket

    async def write(self, session: Session, text: str) -> int:
        """The customer's words to staff, into the newest open ticket; the message's id.

        Raises TicketOver when none is open, TicketFull, EmptyQuestion, TextTooLong.
        """
        words = text.strip()
        if not words:
            raise EmptyQuestion
        if len(text) > tickets.TEXT_CHARS_MAX:
            raise TextTooLong(f"A message may have {tickets.TEXT_CHARS_MAX} characters.")
        newest = (await self._store.read(lambda db: tickets.of_session(db, session.id)))[-1:]
        if not newest:
            raise TurnNotFound("Nobody was asked for in this conversation.", remedy="Ask for a person first.")
        key = await self._key(newest[0].number)

        def insert(db: Database) -> int:
            ticket = tickets.find(db, newest[0].number)
            at_ms, most = now_ms(), self._settings.messages_max
            tickets.step(db, ticket, Act.WRITE, ticket.changed_ms)
            if key is None:
                raise tickets.NoSuchTicket
            return tickets.say(db, key, ticket.number, "customer", words, at_ms, messages_max=most)

        return await self._store.write(insert)

    async def withdraw(self, session: Session, turn_id: str) -> None:
        """The customer takes a ticket back; what it held is forgotten at once. Raises TurnNotFound, TicketOver."""

        def end(db: Database) -> Ticket:
            ticket = tickets.of_turn(db, turn_id, session.id)
            if ticket is None:
                raise TurnNotFound
            tickets.step(db, ticket, Act.WITHDRAW, now_ms())
            return ticket

        await self.forget(await self._store.write(end))
        self._bell.ring(session.id)

    async def follow(self, session: Session, after_id: int) -> AsyncGenerator[News, None]:
        """News of the conversation's tickets: states as they are now, messages after `after_id`, then as they come.

        None: open, or nothing for HEARTBEAT_S. Ends with the conversation, when the stream has lived long enough,
        and when the node stops. Raises TooManyStreams.
        """
        with self._bell.listen(session.id) as listener:
            told: dict[str, StateChanged] = {}
            yield None
            while not listener.over and not self._bell.due(listener):
                if not self._sessions.is_open(session.id):
                    yield Ended()
                    return
                for news in await self._news(session, after_id):
                    if isinstance(news, StaffMessage):
                        after_id = news.id
                    elif told.get(news.ticket) == news:
                        continue
                    else:
                        told[news.ticket] = news
                    yield news
                if not await listener.wait(HEARTBEAT_S):
                    yield None

    async def forget(self, ticket: Ticket) -> None:
        """First the ticket's key, then its rows: what is left in an older copy cannot be read. A legal hold wins."""
        number, owner = ticket.number, ticket.subject
        if await self._store.write_keys(lambda keys: shred_unless_held(keys, of_ticket(number), owner)):
            await self._store.write(lambda db: tickets.forget(db, number))

    async def sweep(self) -> None:
        """Expire and forget tickets, for as long as the node runs."""
        await repeat("tickets", lambda: self.sweep_once(now_ms()), SWEEP_INTERVAL_S)

    async def sweep_once(self, at_ms: int) -> None:
        """What is over at `at_ms`, in milliseconds of the wall clock."""
        kept_ms = self._settings.keep_h * MS_PER_HOUR
        expired = await self._store.write(lambda db: tickets.expire(db, at_ms - kept_ms, at_ms))
        held = await self._store.read_keys(held_subjects)
        for ticket in await self._store.read(lambda db: tickets.to_forget(db, at_ms - CLOSED_KEPT_MS)):
            if held.isdisjoint({ticket.subject, of_ticket(ticket.number)}):
                await self.forget(ticket)
        held = await self._store.read_keys(held_subjects)  # again: one may have been placed meanwhile
        await self._store.write(lambda db: tickets.drop(db, at_ms - ROW_KEPT_MS, held))
        await self._shred_strays(at_ms - STRAY_KEY_MS)
        for ticket in expired:
            self._bell.ring(ticket.session)

    def _insert(self, db: Database, session: Session, turn_id: str, number: str, key: SubjectKey) -> Ticket:
        """The ticket, what it hands over, and who is to be told of it, in one transaction."""
        found = tickets.of_turn(db, turn_id, session.id)
        if found is not None and found.state in OPEN:
            return found
        turn = own_turn(db, session, turn_id)
        if tickets.count_open(db, session.id) >= self._settings.tickets_per_session_max:
            raise TooManyTickets(f"At most {self._settings.tickets_per_session_max} may be open.")
        if tickets.count_open(db) >= self._settings.waiting_max:
            raise DeskFull
        if found is not None:
            tickets.set_aside(db, found)
        at_ms = now_ms()
        queue = str(turn.get("queue") or tickets.DEFAULT_QUEUE)
        tickets.insert(db, number, turn_id, session.id, session.key.subject, queue, at_ms)
        for sender, said in (("customer", turn["question"]), ("desk", turn["answer"])):
            tickets.say(db, key, number, sender, str(said), at_ms, messages_max=self._settings.messages_max)
        notifications.add(db, number, self._settings.channels, at_ms)
        counters.count(db, "handoffs", "opened")
        return tickets.find(db, number)

    async def _news(self, session: Session, after_id: int) -> list[StateChanged | StaffMessage]:
        """Everything the customer may see after message `after_id`: messages first, then states."""
        found = await self._store.read(lambda db: tickets.of_session(db, session.id))
        messages: list[StaffMessage] = []
        for ticket in found:
            key = await self._key(ticket.number)
            if key is not None:
                read = partial(_replies, key=key, number=ticket.number, after_id=after_id)
                messages += await self._store.read(read)
        states = [
            StateChanged(ticket.number, ticket.state, name)
            for ticket, name in await self._store.read(
                lambda db: [(ticket, shown_name(db, ticket.operator)) for ticket in found]
            )
        ]
        return [*sorted(messages, key=lambda message: message.id), *states]

    async def _key(self, number: str) -> SubjectKey | None:
        return await self._store.read_keys(lambda keys: load_key(keys, of_ticket(number)))

    async def _shred(self, number: str) -> None:
        await self._store.write_keys(lambda keys: shred_key(keys, of_ticket(number)))

    async def _shred_strays(self, before_ms: int) -> None:
        numbers = await self._store.read_keys(lambda keys: tickets.stray_keys(keys, before_ms))
        known = await self._store.read(
            lambda db: {row[0] for row in db.execute("SELECT ticket FROM handoffs")}
        )
        for number in set(numbers) - known:
            await self._shred(number)


def shown_name(db: Database, operator: str | None) -> str | None:
    """The first name under which customers see an operator; None for nobody."""
    if operator is None:
        return None
    row = db.execute("SELECT display_name FROM operators WHERE name = ?", [operator]).fetchone()
    shown = (row[0] if row and row[0] else operator).split()
    return str(shown[0]) if shown else operator


def _replies(db: Database, key: SubjectKey, number: str, after_id: int) -> list[StaffMessage]:
    return [
        StaffMessage(message.id, number, shown_name(db, message.operator) or "", message.text)
        for message in tickets.said(db, key, number, after_id=after_id, sender="staff")
    ]


def own_turn(db: Database, session: Session, turn_id: str) -> dict[str, Any]:
    """The content of a turn of this conversation, inside a transaction. Raises TurnNotFound."""
    row = db.execute("SELECT body FROM turns WHERE id = ? AND session = ?", [turn_id, session.id]).fetchone()
    if row is None:
        raise TurnNotFound
    body: dict[str, Any] = json.loads(session.key.open("turns", turn_id, "body", bytes(row[0])))
    return body
