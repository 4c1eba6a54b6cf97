"""The staff's side of tickets, for the console and the command line: list, show, take, reply, close.

`operator` is who acts, as logged in or as named on the command line. What is written is durable before anybody sees it,
and each view and change of a ticket leaves its row of audit in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat import notifications, tickets
from edge.chat.bell import Bell
from edge.chat.session_rows import now_ms
from edge.chat.ticket_states import OPEN, Act, TicketState
from edge.chat.tickets import Message, NoSuchTicket, Ticket
from edge.chat.turn import TextTooLong
from edge.config import HandoffSection
from edge.store import audit
from edge.store.store import Store
from edge.store.subjects import SubjectKey, load_key, of_ticket

# What one page of the inbox shows.
LISTED_MAX = 500
OPERATOR_CHARS_MAX = 64


class EmptyReply(PosternError):
    """There is nothing to send."""

    code = "empty_reply"
    title = "The reply is empty"
    remedy = "Write something, then send it."
    status = 422


@dataclass(frozen=True, slots=True)
class Entry:
    """A ticket as the inbox lists it. `here`: the customer's conversation is still open."""

    ticket: Ticket
    messages: int
    here: bool
    told: dict[str, str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A ticket with what was said."""

    entry: Entry
    messages: tuple[Message, ...]


class Inbox:
    """Tickets as staff see them."""

    def __init__(
        self, store: Store, settings: HandoffSection, bell: Bell, is_open: Callable[[str], bool]
    ) -> None:
        self._store = store
        self._settings = settings
        self._bell = bell
        self._is_open = is_open

    async def list(self, *, all_states: bool = False, queue: str | None = None) -> list[Entry]:
        """Open tickets, longest waiting first; with `all_states` also those that are over and not yet dropped."""
        states = [state for state in TicketState if state is not TicketState.BOT] if all_states else OPEN

        def read(db: Database) -> list[Entry]:
            return [self._entry(db, found) for found in tickets.listing(db, states, queue, LISTED_MAX)]

        return await self._store.read(read)

    async def show(self, number: str, operator: str) -> Conversation:
        """A ticket with what was said; what is forgotten is empty. Raises NoSuchTicket."""
        key = await self._key(number)

        def read(db: Database) -> Conversation:
            ticket = tickets.find(db, number)
            audit.append(db, operator, "inbox.show", number)
            said = tickets.said(db, key, number) if key else []
            return Conversation(self._entry(db, ticket), tuple(said))

        return await self._store.write(read)

    async def take(self, number: str, operator: str) -> TicketState:
        """`operator` has it from now on. Raises NoSuchTicket, TicketOver."""
        return await self._step(number, Act.TAKE, operator)

    async def reply(self, number: str, operator: str, text: str) -> int:
        """Write to the customer, which takes the ticket; the message's id.

        Raises NoSuchTicket, TicketOver, TicketFull, EmptyReply, TextTooLong.
        """
        if not text.strip():
            raise EmptyReply
        if len(text) > tickets.TEXT_CHARS_MAX:
            raise TextTooLong(f"A reply may have {tickets.TEXT_CHARS_MAX} characters.")
        key = await self._key(number)

        def insert(db: Database) -> tuple[int, str]:
            ticket = tickets.find(db, number)
            tickets.step(db, ticket, Act.REPLY, now_ms(), operator)
            if key is None:
                raise NoSuchTicket
            message = tickets.say(
                db, key, number, "staff", text.strip(), now_ms(),
                operator=operator, messages_max=self._settings.messages_max,
            )  # fmt: skip
            audit.append(db, operator, "inbox.reply", number)
            return message, ticket.session

        message, session = await self._store.write(insert)
        self._bell.ring(session)
        return message

    async def close(self, number: str, operator: str) -> TicketState:
        """The matter is settled; what was said is forgotten a minute later. Raises NoSuchTicket, TicketOver."""
        return await self._step(number, Act.CLOSE, operator)

    async def _step(self, number: str, act: Act, operator: str) -> TicketState:
        def change(db: Database) -> tuple[TicketState, str]:
            ticket = tickets.find(db, number)
            audit.append(db, operator, f"inbox.{act}", number)
            return tickets.step(db, ticket, act, now_ms(), operator), ticket.session

        state, session = await self._store.write(change)
        self._bell.ring(session)
        return state

    async def _key(self, number: str) -> SubjectKey | None:
        return await self._store.read_keys(lambda keys: load_key(keys, of_ticket(number)))

    def _entry(self, db: Database, ticket: Ticket) -> Entry:
        return Entry(
            ticket,
            tickets.count_said(db, ticket.number),
            bool(ticket.session) and self._is_open(ticket.session),
            notifications.of_ticket(db, ticket.number),
        )
