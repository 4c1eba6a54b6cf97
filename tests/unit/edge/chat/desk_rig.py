"""A store with a conversation and its turns, and both sides of the desk: for tests of tickets and feedback."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.chat.bell import Bell
from edge.chat.handoff import Handoffs
from edge.chat.inbox import Inbox
from edge.chat.session import Channel, Session, Sessions
from edge.chat.session_rows import now_ms
from edge.config import HandoffSection, LimitsSection, site_paths
from edge.store.store import Store
from models.detect.detector import Detector, Finding

QUESTION = "Can I bring my parrot Zacharias?"
ANSWER = "We did not find this in our documents."


async def scan_forms(text: str) -> Finding:
    """A scan without models, as if names had been looked for too."""
    return replace(Detector("US").of_forms(text), complete=True)


async def scan_without_names(text: str) -> Finding:
    """A scan while an encoder serves that has no tagger."""
    return Detector("US").of_forms(text)


class Clock:
    """Seconds since the machine started, as a test sets them."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class Rig:
    """What a test uses."""

    store: Store
    clock: Clock
    sessions: Sessions
    bell: Bell
    handoffs: Handoffs
    inbox: Inbox

    async def arrive(self) -> Session:
        """A customer who has accepted the notice."""
        new = await self.sessions.create(Channel.KIOSK, "en")
        return await self.sessions.consent(new.session, "v1", overflow=False)

    async def turn(self, session: Session, question: str = QUESTION, **more: Any) -> str:
        """A turn that was answered; its identifier."""
        turn = secrets.token_urlsafe(8)
        body = {"question": question, "answer": ANSWER, "citations": [], **more}
        sealed = session.key.seal("turns", turn, "body", json.dumps(body).encode())
        row = [turn, session.id, now_ms(), "handoff", "public", "[]", sealed]
        await self.store.write(
            lambda db: db.execute(
                "INSERT INTO turns(id, session, created_ms, route, label, redactions, body) VALUES (?,?,?,?,?,?,?)",
                row,
            )
        )
        return turn

    async def count(self, table: str) -> int:
        return int(await self.store.read(lambda db: db[table].count))


@asynccontextmanager
async def rig(
    folder: Path, settings: HandoffSection | None = None, streams_max: int = 8
) -> AsyncIterator[Rig]:
    """A fresh one."""
    store, clock, settings = Store.open(site_paths(folder)), Clock(), settings or HandoffSection()
    sessions = Sessions(store, LimitsSection(), clock=clock)
    bell = Bell(streams_max, clock)
    handoffs = Handoffs(store, sessions, settings, bell)
    inbox = Inbox(store, settings, bell, sessions.is_open)
    try:
        yield Rig(store, clock, sessions, bell, handoffs, inbox)
    finally:
        await store.close()
