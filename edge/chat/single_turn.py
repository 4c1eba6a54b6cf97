"""One question without a conversation: a session of its own, wiped before the answer is handed out.

For programs and for the command line. It is the customer's own turn, with its admission, limits and guards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from core.errors import PosternError
from edge.chat.answers import followups
from edge.chat.live_session import Memory
from edge.chat.notice import Notice
from edge.chat.session import Channel, NewSession, NoticeRequired, Sessions
from edge.chat.turn import WHICH, Desk, Final
from edge.knowledge.document import Audience
from edge.store import audit
from edge.store.api_keys import ApiKey, Scope
from edge.store.store import Store

# Cards are in the question's own language; this decides only between languages that fit it equally well.
LOCALE = "en"
_CHOICE = "- "
_NOTHING = Memory()


class SingleTurns:
    """Answers questions one by one. Used from one event loop."""

    def __init__(self, sessions: Sessions, desk: Desk, notice: Notice) -> None:
        self._sessions = sessions
        self._desk = desk
        self._notice = notice
        self._wipes: set[asyncio.Task[None]] = set()

    async def ask(
        self,
        question: str,
        *,
        before: Memory = _NOTHING,
        address: str | None = None,
        audience: Audience = Audience.PUBLIC,
    ) -> dict[str, object]:
        """The turn's answer as the API gives it; by then nothing of the session is left, nor when this is cancelled.

        `before`: what earlier turns left; `address`: as for `Sessions.create`. Raises what that and `Desk.turn` do.
        """
        beginning = asyncio.create_task(
            self._sessions.create(Channel.API, LOCALE, address=address, audience=audience)
        )
        try:
            # Not given up half-way: a row of which nobody knows the number would stay until its time is over.
            new = await asyncio.shield(beginning)
            session = await self._sessions.vouch(new.session, self._notice.version)
            self._sessions.remember(session, before)
            async with aclosing(self._desk.turn(session, question)) as events:
                async for event in events:
                    if isinstance(event, Final):
                        return event.body
        finally:
            wipe = asyncio.create_task(self._wipe(beginning))
            self._wipes.add(wipe)
            wipe.add_done_callback(self._wipes.discard)
            await asyncio.shield(wipe)
        raise PosternError

    async def _wipe(self, beginning: asyncio.Task[NewSession]) -> None:
        try:
            new = await beginning
        except PosternError:
            return  # nothing began, and the caller is told why
        await self._sessions.wipe(new.session.id)


class ProgramTurns:
    """Questions that a program asks with its key, for people to whom it has shown the notice."""

    def __init__(self, store: Store, turns: SingleTurns, notice: Notice) -> None:
        self._store = store
        self._turns = turns
        self._notice = notice

    def require_notice(self, key: ApiKey) -> None:
        """Raises NoticeRequired where the program was given another notice than the one in force."""
        if key.notice_version != self._notice.version:
            raise NoticeRequired(
                "The notice has changed since this key was made.",
                remedy="Make a new key (postern api-keys new), and let the program show the notice printed with it.",
            )

    async def ask(self, key: ApiKey, question: str, before: Memory) -> dict[str, object]:
        """The answer. Documents for staff are open to a key with that scope; then the audit says that it asked.

        A key counts as an address: no program takes more than half of the node's places from its customers.
        Raises NoticeRequired, and what `SingleTurns.ask` does.
        """
        self.require_notice(key)
        audience = Audience.STAFF if Scope.STAFF in key.scopes else Audience.PUBLIC
        if audience is Audience.STAFF:
            await self._store.write(lambda db: audit.append(db, key.actor, "chat.staff"))
        return await self._turns.ask(question, before=before, address=f"api-key:{key.id}", audience=audience)


def text_of(answer: dict[str, object]) -> str:
    """An answer as one text: with what it gives to choose from, a question a line."""
    choices = answer["choices"]
    assert isinstance(choices, list)
    return "\n".join([str(answer["answer"]), *(f"{_CHOICE}{choice['question']}" for choice in choices)])


def memory_of(earlier: Sequence[str], last_answer: str) -> Memory:
    """What a conversation would remember: the last question that stood on its own, and what was last offered.

    `earlier`: the questions before, oldest first; `last_answer`: as `text_of` gave it.
    """
    topic = next((text for text in reversed(earlier) if not followups.leans(text)), "")
    first, *lines = last_answer.split("\n")
    offered = [line.removeprefix(_CHOICE) for line in lines] if first == WHICH else []
    return Memory(topic or next(iter(earlier), ""), tuple(offered))
