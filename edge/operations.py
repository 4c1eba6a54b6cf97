"""What the command line can do with an open site, whether the running node does it or the command itself.

Each operation takes plain JSON arguments, reports progress and returns plain JSON: the same over the admin socket
and in-process.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path

from core.errors import PosternError
from core.version import VERSION
from edge.chat import notifications, tickets
from edge.chat.notice import Notice
from edge.chat.session import Channel, Sessions
from edge.chat.turn import Desk, Final
from edge.knowledge import commands
from edge.knowledge.document import Audience, State
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.metadata import MetadataChange, first_moment, last_moment
from edge.knowledge.search import Mode
from edge.operation_arguments import OperationArguments as _Arguments
from edge.operation_arguments import read_arguments as _read
from edge.store import outbox
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation, Progress


class AskArguments(_Arguments):
    """`postern ask`."""

    text: str


class _MetadataArguments(_Arguments):
    """What to say of a document; what is left out stays as it is. Dates as people write them, or "none"."""

    audience: Audience | None = None
    owner: str | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    state: State | None = None

    def change(self) -> MetadataChange:
        """Raises BadMetadata."""
        return MetadataChange(
            self.audience,
            self.owner,
            self.state,
            None if self.valid_from is None else first_moment(self.valid_from),
            None if self.valid_until is None else last_moment(self.valid_until),
        )


class AddArguments(_MetadataArguments):
    """`postern kb add`; paths are absolute."""

    paths: tuple[Path, ...]
    mirror: bool = False


class SetArguments(_MetadataArguments):
    """`postern kb set`."""

    document: str


class RemoveArguments(_Arguments):
    """`postern kb remove`."""

    document: str


class SearchArguments(_Arguments):
    """`postern kb search`."""

    text: str
    k: int = 5
    mode: Mode = "hybrid"


class NoArguments(_Arguments):
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
        self._notice = notice
        self._knowledge = knowledge
        self._store = store
        self._others = others
        self.more_status: Callable[[], Mapping[str, object]] = dict
        self._began = time.monotonic()

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "ask": self.ask,
            "kb.add": self.add,
            "kb.list": self.list,
            "kb.remove": self.remove,
            "kb.search": self.search,
            "kb.set": self.set_metadata,
            "status": self.status,
            **self._others,
        }

    async def ask(self, arguments: Arguments, _: OnProgress) -> object:
        """One turn in a session of its own, which is wiped afterwards."""
        text = _read(AskArguments, arguments).text
        new = await self._sessions.create(Channel.API, "en")
        try:
            session = await self._sessions.consent(new.session, self._notice.version, overflow=False)
            async with aclosing(self._desk.turn(session, text)) as events:
                async for event in events:
                    if isinstance(event, Final):
                        return event.body
        finally:
            await self._sessions.wipe(new.session.id)
        raise PosternError

    async def add(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Documents in; says per file what became of it."""
        wanted = _read(AddArguments, arguments)
        return await commands.add(
            self._knowledge,
            wanted.paths,
            wanted.change(),
            lambda step: on_progress(Progress(step.done, step.of, step.document)),
            mirror=wanted.mirror,
        )

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """All documents."""
        _read(NoArguments, arguments)
        return await commands.listing(self._knowledge)

    async def set_metadata(self, arguments: Arguments, _: OnProgress) -> object:
        """What is said of a document, old and new."""
        wanted = _read(SetArguments, arguments)
        return await commands.set_metadata(self._knowledge, wanted.document, wanted.change())

    async def remove(self, arguments: Arguments, _: OnProgress) -> object:
        """A document out."""
        return await commands.remove(self._knowledge, _read(RemoveArguments, arguments).document)

    async def search(self, arguments: Arguments, _: OnProgress) -> object:
        """What retrieval finds."""
        wanted = _read(SearchArguments, arguments)
        return await commands.search(self._knowledge, wanted.text, wanted.k, wanted.mode)

    async def status(self, arguments: Arguments, _: OnProgress) -> object:
        """How the site is."""
        _read(NoArguments, arguments)
        waiting = await self._store.read(outbox.stats)
        told = await self._store.read(notifications.counts)
        people = await self._store.read(tickets.count_open)
        return {
            "version": VERSION,
            "uptime_s": round(time.monotonic() - self._began),
            "sessions": len(self._sessions),
            "tickets": {"open": people, "notifications": told},
            "answer_mode": self._desk.answer_mode,
            "knowledge": {
                "documents": self._knowledge.searcher.documents,
                "chunks": len(self._knowledge.searcher),
            },
            "outbox": {"rows": waiting.rows, "newest_sequence": waiting.newest_sequence},
            **self.more_status(),
        }
