"""Conversations: who may speak, for how long, and that nothing stays when they end.

A session stands for its subject unless the caller names one. Its token is known only as a hash; what is said is
sealed under the subject's data key. Live sessions are held in memory (bounded) and found again in the store after
a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from edge.store.store import Store
from edge.store.subjects import SubjectKey, create_key, load_key, shred_key

TOKEN_BYTES = 32
ID_BYTES = 12
# Sessions live at most this long beyond their end before the sweeper wipes them.
SWEEP_INTERVAL_S = 15.0


class Channel(StrEnum):
    """Where the customer speaks from."""

    KIOSK = "kiosk"
    INTRANET = "intranet"
    API = "api"


class SessionNotFound(PosternError):
    """No such conversation, or not with this token; the two are told apart by nobody."""

    code = "session_not_found"
    title = "This conversation has ended"
    remedy = "Start a new conversation."
    status = 401


class NoticeRequired(PosternError):
    """A turn before the notice was accepted."""

    code = "notice_required"
    title = "Please read the notice first"
    remedy = "Accept the notice with POST …/consent, then ask."
    status = 403


class StaleNotice(PosternError):
    """Consent to another text than the one that is in force."""

    code = "stale_notice"
    title = "The notice has changed"
    remedy = "Show the current notice and send its version."
    status = 409


class TooManySessions(PosternError):
    """The node holds as many conversations as it may."""

    code = "too_many_sessions"
    title = "The desk is very busy"
    remedy = "Try again in a minute."
    status = 503
    retry_after_s = 60


class SessionBusy(PosternError):
    """A second question while the first is being answered."""

    code = "session_busy"
    title = "One question at a time"
    remedy = "Wait for the answer, then ask the next question."
    status = 429
    retry_after_s = 1


@dataclass(frozen=True)
class Session:
    """One conversation, as it is now."""

    id: str
    key: SubjectKey
    channel: Channel
    locale: str
    expires_ms: int
    token_hash: bytes
    notice_version: str | None = None
    overflow_consent: bool = False

    @property
    def consented(self) -> bool:
        return self.notice_version is not None


@dataclass(frozen=True)
class NewSession:
    """What the customer gets once: the token is not kept."""

    session: Session
    token: str
    expires_in_s: int


@dataclass
class _Live:
    session: Session
    busy: bool = field(default=False)


def now_ms() -> int:
    """Wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Sessions:
    """The node's conversations. Used from one event loop."""

    def __init__(self, store: Store, *, session_s: int, sessions_max: int) -> None:
        self._store = store
        self._session_s = session_s
        self._sessions_max = sessions_max
        self._live: dict[str, _Live] = {}

    def __len__(self) -> int:
        return len(self._live)

    async def create(self, channel: Channel, locale: str, subject: str | None = None) -> NewSession:
        """Begin a conversation: first the subject's key becomes durable, then the session's row.

        Raises TooManySessions.
        """
        if len(self._live) >= self._sessions_max:
            raise TooManySessions(f"This node holds {self._sessions_max} conversations already.")
        session_id, token = secrets.token_urlsafe(ID_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
        subject = subject or f"session:{session_id}"
        key = await self._subject_key(subject)
        session = Session(session_id, key, channel, locale, now_ms() + self._session_s * 1000, _hash(token))
        await self._store.write(lambda db: _insert(db, session))
        self._live[session_id] = _Live(session)
        return NewSession(session, token, self._session_s)

    async def get(self, session_id: str, token: str) -> Session:
        """The session, if the token is its own and it has not ended. Raises SessionNotFound."""
        live = self._live.get(session_id) or await self._load(session_id)
        if live is None or not hmac.compare_digest(live.session.token_hash, _hash(token)):
            raise SessionNotFound
        if live.session.expires_ms <= now_ms():
            await self.wipe(session_id)
            raise SessionNotFound
        return live.session

    async def consent(self, session: Session, notice_version: str, overflow: bool) -> Session:
        """Record that the notice was read, and whether overflow is permitted."""
        consented = replace(session, notice_version=notice_version, overflow_consent=overflow)
        row = [notice_version, int(overflow), now_ms(), session.id]
        await self._store.write(
            lambda db: db.execute(
                "UPDATE sessions SET notice_version=?, overflow_consent=?, consented_ms=? WHERE id=?", row
            )
        )
        self._live[session.id].session = consented
        return consented

    def claim(self, session: Session) -> _Turn:
        """The right to one turn, as a context manager. Raises NoticeRequired, SessionBusy."""
        if not session.consented:
            raise NoticeRequired
        return _Turn(self._live[session.id])

    async def wipe(self, session_id: str) -> None:
        """Forget a conversation: its rows, and its subject's key when it stood for the subject."""
        self._live.pop(session_id, None)
        subject = f"session:{session_id}"
        await self._store.write_keys(lambda db: shred_key(db, subject))
        await self._store.write(lambda db: _delete(db, session_id, subject))

    async def sweep(self) -> None:
        """Wipe conversations whose time is over, for as long as the node runs."""
        while True:
            ended = await self._store.read(lambda db: _ended(db, now_ms()))
            for session_id in ended:
                await self.wipe(session_id)
            await asyncio.sleep(SWEEP_INTERVAL_S)

    async def _subject_key(self, subject: str) -> SubjectKey:
        def load_or_create(keys: Database) -> SubjectKey:
            return load_key(keys, subject) or create_key(keys, subject)

        return await self._store.write_keys(load_or_create)

    async def _load(self, session_id: str) -> _Live | None:
        row = await self._store.read(lambda db: _select(db, session_id))
        if row is None:
            return None
        subject = str(row[1])
        key = await self._store.read_keys(lambda keys: load_key(keys, subject))
        if key is None:
            return None
        session = Session(row[0], key, Channel(row[2]), row[3], row[4], bytes(row[5]), row[6], bool(row[7]))
        return self._live.setdefault(session_id, _Live(session))


class _Turn:
    """One turn at a time: taken on entry, given back on exit."""

    def __init__(self, live: _Live) -> None:
        self._live = live

    def __enter__(self) -> None:
        if self._live.busy:
            raise SessionBusy
        self._live.busy = True

    def __exit__(self, *_: object) -> None:
        self._live.busy = False


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _insert(db: Database, session: Session) -> None:
    created = now_ms()
    db.execute("INSERT OR IGNORE INTO subjects VALUES (?, ?)", [session.key.subject, created])
    sql = (
        "INSERT INTO sessions(id, subject, token_hash, channel, locale, created_ms, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    row = [session.id, session.key.subject, session.token_hash, session.channel, session.locale, created]
    db.execute(sql, [*row, session.expires_ms])


def _select(db: Database, session_id: str) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = db.execute(
        "SELECT id, subject, channel, locale, expires_ms, token_hash, notice_version, overflow_consent "
        "FROM sessions WHERE id = ?",
        [session_id],
    ).fetchone()
    return row


def _ended(db: Database, at_ms: int) -> list[str]:
    return [row[0] for row in db.execute("SELECT id FROM sessions WHERE expires_ms <= ? LIMIT 500", [at_ms])]


def _delete(db: Database, session_id: str, subject: str) -> None:
    db.execute("DELETE FROM feedback WHERE turn IN (SELECT id FROM turns WHERE session = ?)", [session_id])
    db.execute("DELETE FROM turns WHERE session = ?", [session_id])
    db.execute("DELETE FROM handoffs WHERE session = ?", [session_id])
    db.execute("DELETE FROM sessions WHERE id = ?", [session_id])
    db.execute("DELETE FROM subjects WHERE id = ?", [subject])
