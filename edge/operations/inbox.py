"""The inbox for the command line and the console: operations `inbox.*`, which take plain JSON and return plain JSON."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edge.chat import tickets
from edge.chat.inbox import OPERATOR_CHARS_MAX, Conversation, Entry, Inbox
from edge.operations.arguments import OperationArguments, read_arguments
from edge.web.admin import Arguments, OnProgress, Operation

Number = Annotated[str, Field(min_length=1, max_length=32)]
Operator = Annotated[str, Field(min_length=1, max_length=OPERATOR_CHARS_MAX)]


class ListArguments(OperationArguments):
    """`postern inbox list`."""

    all: bool = False
    queue: str | None = None


class TicketArguments(OperationArguments):
    """`postern inbox show|take|close`; `operator` is who acts."""

    ticket: Number
    operator: Operator


class ReplyArguments(TicketArguments):
    """`postern inbox reply`."""

    text: Annotated[str, Field(max_length=tickets.TEXT_CHARS_MAX)]


class InboxOperations:
    """The operations, by name."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "inbox.list": self.list,
            "inbox.show": self.show,
            "inbox.take": self.take,
            "inbox.reply": self.reply,
            "inbox.close": self.close,
        }

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """Tickets, longest waiting first."""
        wanted = read_arguments(ListArguments, arguments)
        found = await self._inbox.list(all_states=wanted.all, queue=wanted.queue)
        return [_entry(entry) for entry in found]

    async def show(self, arguments: Arguments, _: OnProgress) -> object:
        """A ticket with what was said."""
        wanted = read_arguments(TicketArguments, arguments)
        return _conversation(await self._inbox.show(_number(wanted), wanted.operator))

    async def take(self, arguments: Arguments, _: OnProgress) -> object:
        """Have it from now on."""
        wanted = read_arguments(TicketArguments, arguments)
        state = await self._inbox.take(_number(wanted), wanted.operator)
        return {"ticket": _number(wanted), "state": state}

    async def reply(self, arguments: Arguments, _: OnProgress) -> object:
        """Write to the customer."""
        wanted = read_arguments(ReplyArguments, arguments)
        message = await self._inbox.reply(_number(wanted), wanted.operator, wanted.text)
        return {"ticket": _number(wanted), "message_id": message}

    async def close(self, arguments: Arguments, _: OnProgress) -> object:
        """The matter is settled."""
        wanted = read_arguments(TicketArguments, arguments)
        state = await self._inbox.close(_number(wanted), wanted.operator)
        return {"ticket": _number(wanted), "state": state}


def _number(wanted: TicketArguments) -> str:
    """As it is written on the customer's screen, however it was typed."""
    return wanted.ticket.strip().upper()


def _entry(entry: Entry) -> dict[str, object]:
    ticket = entry.ticket
    return {
        "ticket": ticket.number,
        "state": ticket.state,
        "queue": ticket.queue,
        "operator": ticket.operator,
        "created_ms": ticket.created_ms,
        "changed_ms": ticket.changed_ms,
        "messages": entry.messages,
        "customer_here": entry.here,
        "told": entry.told,
    }


def _conversation(found: Conversation) -> dict[str, object]:
    said = [
        {
            "id": message.id,
            "sender": message.sender,
            "operator": message.operator,
            "created_ms": message.created_ms,
            "text": message.text,
        }
        for message in found.messages
    ]
    return {**_entry(found.entry), "said": said}
