"""The life of a ticket: bot → waiting → human → closed, or withdrawn, or expired. Pure: a table; no I/O, no clock."""

from __future__ import annotations

from enum import StrEnum

from core.errors import PosternError


class TicketState(StrEnum):
    """Who has the conversation; the names are part of the contract, and the customer sees which."""

    BOT = "bot"  # no ticket yet: the machine answers
    WAITING = "waiting"  # handed over, nobody has taken it
    HUMAN = "human"  # somebody of the staff has it
    CLOSED = "closed"  # by staff
    WITHDRAWN = "withdrawn"  # by the customer
    EXPIRED = "expired"  # by the site's limit for one that nobody closes


class Act(StrEnum):
    """What somebody does with a ticket."""

    REQUEST = "request"
    WRITE = "write"
    WITHDRAW = "withdraw"
    TAKE = "take"
    REPLY = "reply"
    CLOSE = "close"
    EXPIRE = "expire"


OPEN = (TicketState.WAITING, TicketState.HUMAN)

# What is not here is refused. A reply takes the ticket; taking what a colleague has is handing it on.
_AFTER: dict[tuple[TicketState, Act], TicketState] = {
    (TicketState.BOT, Act.REQUEST): TicketState.WAITING,
    (TicketState.WAITING, Act.WRITE): TicketState.WAITING,
    (TicketState.WAITING, Act.TAKE): TicketState.HUMAN,
    (TicketState.WAITING, Act.REPLY): TicketState.HUMAN,
    (TicketState.WAITING, Act.CLOSE): TicketState.CLOSED,
    (TicketState.WAITING, Act.WITHDRAW): TicketState.WITHDRAWN,
    (TicketState.WAITING, Act.EXPIRE): TicketState.EXPIRED,
    (TicketState.HUMAN, Act.WRITE): TicketState.HUMAN,
    (TicketState.HUMAN, Act.TAKE): TicketState.HUMAN,
    (TicketState.HUMAN, Act.REPLY): TicketState.HUMAN,
    (TicketState.HUMAN, Act.CLOSE): TicketState.CLOSED,
    (TicketState.HUMAN, Act.WITHDRAW): TicketState.WITHDRAWN,
    (TicketState.HUMAN, Act.EXPIRE): TicketState.EXPIRED,
}


class TicketOver(PosternError):
    """Something is asked of a ticket that was closed, withdrawn or has expired."""

    code = "ticket_over"
    title = "This ticket is no longer open"
    remedy = "Ask for a person again; the new ticket has a number of its own."
    status = 409


def after(state: TicketState, act: Act) -> TicketState:
    """The state after `act`. Raises TicketOver where the table has no such step."""
    found = _AFTER.get((state, act))
    if found is None:
        raise TicketOver(f"The ticket is {state}; nobody can {act} it.")
    return found
