"""What the command line can do with an open site, whether the running node does it or the command itself.

Each operation takes plain JSON arguments, reports progress and returns plain JSON: the same over the admin socket
and in-process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict

from core.version import VERSION
from edge.chat import notifications, tickets
from edge.chat.notice import Notice
from edge.chat.session import Sessions
from edge.chat.single_turn import SingleTurns
from edge.chat.turn import Desk
from edge.knowledge.ingest import KnowledgeBase
from edge.operations.arguments import OperationArguments, read_arguments
from edge.privacy.backup import backups
from edge.store import operators, outbox
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation


class AskArguments(OperationArguments):
    """`postern ask`."""

    text: str


class NoArguments(OperationArguments):
    """Operations that take none."""


class Operations:
    """The operations of one open site. A running node sets `more_status` to add what only it knows."""

    def __init__(
        self,
        desk: Desk,
        sessions: Sessions,
        notice: Notice,
        knowledge: KnowledgeBase,
        store: Store,
        others: Mapping[str, Operation],
    ) -> None:
        """`others`: operations of parts that have a file of their own, by name."""
        self._desk = desk
        self._sessions = sessions
        self._turns = SingleTurns(sessions, desk, notice)
        self._knowledge = knowledge
        self._store = store
        self._others = others
        self.more_status: Callable[[], Mapping[str, object]] = dict
        self._began = time.monotonic()

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "ask": self.ask,
            "status": self.status,
            **self._others,
        }

    async def ask(self, arguments: Arguments, _: OnProgress) -> object:
        """One turn in a session of its own, which is wiped afterwards."""
        text = read_arguments(AskArguments, arguments).text
        return await self._turns.ask(text)

    async def status(self, arguments: Arguments, _: OnProgress) -> object:
        """How the site is."""
        read_arguments(NoArguments, arguments)
        waiting = await self._store.read(outbox.stats)
        told = await self._store.read(notifications.counts)
        people = await self._store.read(tickets.count_open)
        made = await backups.newest(self._store)
        return {
            "version": VERSION,
            "uptime_s": round(time.monotonic() - self._began),
            "sessions": len(self._sessions),
            "tickets": {"open": people, "notifications": told},
            "answer_mode": self._desk.answer_mode,
            "generated": self._desk.generated(),
            "knowledge": {
                "documents": self._knowledge.searcher.documents,
                "chunks": len(self._knowledge.searcher),
                "behind": self._knowledge.behind,
                "embedded": self._knowledge.embedded and asdict(self._knowledge.embedded),
            },
            "break_glass": await self._store.read(operators.seal),
            "backup": {"newest_ms": made and made.made_ms, "file": made and str(made.file)},
            "outbox": {"rows": waiting.rows, "newest_sequence": waiting.newest_sequence},
            **self.more_status(),
        }
