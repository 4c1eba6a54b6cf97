"""Conversations: who may speak, for how long, and that nothing stays when they end.

A session stands for its subject unless the caller names one. Its token is known only as a hash; what is said is
sealed under the subject's data key. Live sessions are held in memory (bounded) and found again in the store after
a restart. A conversation ends after its silence or its whole time, both by the boot clock, which runs on while the
machine sleeps and which no change of the wall clock moves; the wall clock only ever ends one sooner.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat import session_rows
from edge.chat.admission import Admission, RateLimited
from edge.chat.rates import Rate
from edge.chat.session_rows import SessionNotFound, now_ms
from edge.config import LimitsSection
from edge.knowledge.document import Audience
from edge.store.store import Store
from edge.store.subjects import SubjectKey, create_key, load_key, shred_key

log = logging.getLogger(__name__)

TOKEN_BYTES = 32
ID_BYTES = 12
# A conversation lives at most this long beyond its end before the sweeper wipes it.
SWEEP_INTERVAL_S = 5.0
# The page says that somebody is there at most so often, and its wipe may be on the way when the node's is due.
IDLE_GRACE_S = 5.0


class Channel(StrEnum):
    """Where the customer speaks from."""

    KIOSK = "kiosk"
    INTRANET = "intranet"
    API = "api"


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


class SessionBusy(PosternError):
    """A second question while the first is being answered."""

    code = "session_busy"
    title = "One question at a time"
    remedy = "Wait for the answer, then ask the next question."
    status = 429
    # An answer of quotes takes a fraction of a second; one in words is asked for again.
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
    # Staff only with an operator's credential, which is checked where the request arrives; never by the body.
    audience: Audience = Audience.PUBLIC

    @property
    def consented(self) -> bool:
        return self.notice_version is not None


@dataclass(frozen=True)
class NewSession:
    """What the customer gets once: the token is not kept."""

    session: Session
    token: str
    expires_in_s: int
    idle_s: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next turn may need of the last ones. In memory only: a restart forgets it, and so does the wipe.

    topic      the last question that stood on its own
    offered  the questions that the last answer gave to choose from
    """

    topic: str = ""
    offered: tuple[str, ...] = ()


@dataclass
class _Live:
    """A conversation in memory; times in seconds of the boot clock."""

    session: Session
    address: str | None
    ends_s: float
    seen_s: float
    asked_whole_at_s: float = 0.0
    acted_whole_at_s: float = 0.0
    busy: bool = False
    memory: Memory = Memory()


def boot_s() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Sessions:
    """The node's conversations. Used from one event loop. `clock`: seconds, never going back."""

    def __init__(self, store: Store, limits: LimitsSection, *, clock: Callable[[], float] = boot_s) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._admission = Admission(limits)
        self._live: dict[str, _Live] = {}
        # Told which conversation was wiped, once nothing of it is stored.
        self.on_end: list[Callable[[str], None]] = []

    def __len__(self) -> int:
        return len(self._live)

    async def create(
        self,
        channel: Channel,
        locale: str,
        subject: str | None = None,
        *,
        address: str | None = None,
        audience: Audience = Audience.PUBLIC,
    ) -> NewSession:
        """Begin a conversation: first the subject's key becomes durable, then the session's row.

        `address`: where the caller is, None for the site's own command line. Raises TooManySessions, RateLimited.
        """
        now_s, total_s = self._clock(), self._limits.session_s
        self._admission.begin(address, now_s, self._next_end_s)
        try:
            session_id, token = secrets.token_urlsafe(ID_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
            key = await self._subject_key(subject or f"session:{session_id}")
            created_ms = now_ms()
            session = Session(
                session_id, key, channel, locale, created_ms + total_s * 1000, _hash(token), audience=audience
            )
            row = {
                "id": session_id,
                "subject": key.subject,
                "token_hash": session.token_hash,
                "channel": channel,
                "locale": locale,
                "created_ms": created_ms,
                "expires_ms": session.expires_ms,
                "audience": audience,
            }
            await self._store.write(lambda db: session_rows.insert(db, row))
        except BaseException:
            self._admission.end(address)
            raise
        self._live[session_id] = _Live(session, address, now_s + total_s, now_s)
        return NewSession(session, token, total_s, self._idle_s(channel))

    async def get(self, session_id: str, token: str, *, touch: bool = True) -> Session:
        """The session, if the token is its own and it has not ended. Raises SessionNotFound.

        `touch` False: the request is no sign that somebody is there.
        """
        live = self._live.get(session_id) or await self._load(session_id)
        if live is None or not hmac.compare_digest(live.session.token_hash, _hash(token)):
            raise SessionNotFound
        if self._over(live):
            await self.wipe(session_id)
            raise SessionNotFound
        if touch:
            live.seen_s = self._clock()
        return live.session

    def is_open(self, session_id: str) -> bool:
        """Whether this conversation is still held, without a sign of life."""
        return session_id in self._live

    async def consent(self, session: Session, notice_version: str, overflow: bool | None) -> Session:
        """Somebody has read the notice, and permits overflow, or does not, or (None) was not asked.

        Kept for them beyond the conversation; a change of mind is one more row, and holds for the next text.
        Raises SessionNotFound.
        """
        digest = self._store.digests.of(session.key.subject)
        return await self._consent(session, notice_version, overflow, digest)

    async def vouch(self, session: Session, notice_version: str) -> Session:
        """A program, whose key says which notice it shows, or the site's own command line speaks for somebody.

        Nobody's consent, so nothing is kept beyond the conversation. Raises SessionNotFound.
        """
        return await self._consent(session, notice_version, None, None)

    async def _consent(
        self, session: Session, notice_version: str, overflow: bool | None, digest: bytes | None
    ) -> Session:
        at_ms = now_ms()
        await self._store.write(
            lambda db: session_rows.consent(db, session.id, notice_version, overflow, at_ms, digest)
        )
        consented = replace(session, notice_version=notice_version, overflow_consent=bool(overflow))
        self._held(session).session = consented
        return consented

    def claim(self, session: Session) -> _Turn:
        """The right to one turn, as a context manager.

        Raises NoticeRequired, SessionNotFound; on entry SessionBusy, RateLimited.
        """
        if not session.consented:
            raise NoticeRequired
        return _Turn(self._held(session), self._admission, self._turn_rate(session.channel), self._clock)

    def act(self, session: Session) -> None:
        """Count something that a conversation does beside asking. Raises SessionNotFound, RateLimited."""
        live, now_s, rate = self._held(session), self._clock(), Rate(self._limits.acts_per_minute)
        wait_s = rate.wait_s(live.acted_whole_at_s, now_s)
        if wait_s > 0:
            raise RateLimited(f"A conversation may do this {rate.per_minute} times a minute.", wait_s)
        live.acted_whole_at_s = rate.taken(live.acted_whole_at_s, now_s)

    def memory(self, session: Session) -> Memory:
        """What is remembered of the conversation's last turns."""
        live = self._live.get(session.id)
        return live.memory if live else Memory()

    def remember(self, session: Session, memory: Memory) -> None:
        """Keep it for the next turn, if the conversation is still there."""
        if live := self._live.get(session.id):
            live.memory = memory

    async def wipe(self, session_id: str) -> None:
        """Forget a conversation: its rows, and its subject's key when it stood for the subject."""
        live = self._live.pop(session_id, None)
        if live is not None:
            self._admission.end(live.address)
        subject = f"session:{session_id}"
        await self._store.write_keys(lambda db: shred_key(db, subject))
        await self._store.write(lambda db: session_rows.delete(db, session_id, subject))
        for told in self.on_end:
            told(session_id)

    async def sweep(self) -> None:
        """Wipe conversations whose time or silence is over, for as long as the node runs.

        What an earlier run of the node left open is silent from now on, whenever it was last heard.
        """
        for session_id in await self._store.read(session_rows.identifiers):
            if session_id not in self._live and await self._load(session_id) is None:
                await self.wipe(session_id)
        while True:
            try:
                await self.sweep_once()
            except PosternError as error:
                log.warning("conversations are swept later", extra={"code": error.code})
            await asyncio.sleep(SWEEP_INTERVAL_S)

    async def sweep_once(self) -> None:
        """Wipe what is over now."""
        over = {session_id for session_id, live in self._live.items() if self._over(live)}
        over |= set(await self._store.read(lambda db: session_rows.ended(db, now_ms())))
        for session_id in over:
            await self.wipe(session_id)

    def _over(self, live: _Live) -> bool:
        return self._ends_s(live) <= self._clock() or live.session.expires_ms <= now_ms()

    def _ends_s(self, live: _Live) -> float:
        """When this conversation ends if nobody speaks; an answer that is being made is no silence."""
        if live.busy:
            return live.ends_s
        return min(live.ends_s, live.seen_s + self._idle_s(live.session.channel) + IDLE_GRACE_S)

    def _next_end_s(self, address: str | None) -> float:
        """When the next place of this address, or of any, becomes free by itself."""
        ends = [self._ends_s(live) for live in self._live.values() if address in {None, live.address}]
        return min(ends, default=self._clock()) + SWEEP_INTERVAL_S

    def _idle_s(self, channel: Channel) -> int:
        return self._limits.idle_wipe_s if channel is Channel.KIOSK else self._limits.idle_other_s

    def _turn_rate(self, channel: Channel) -> Rate:
        limits = self._limits
        return Rate(limits.api_turns_per_minute if channel is Channel.API else limits.turns_per_minute)

    def _held(self, session: Session) -> _Live:
        live = self._live.get(session.id)
        if live is None:  # wiped since the request began
            raise SessionNotFound
        return live

    async def _subject_key(self, subject: str) -> SubjectKey:
        def load_or_create(keys: Database) -> SubjectKey:
            return load_key(keys, subject) or create_key(keys, subject)

        return await self._store.write_keys(load_or_create)

    async def _load(self, session_id: str) -> _Live | None:
        row = await self._store.read(lambda db: session_rows.select(db, session_id))
        if row is None:
            return None
        subject = str(row[1])
        key = await self._store.read_keys(lambda keys: load_key(keys, subject))
        if key is None:
            return None
        session = Session(
            row[0],
            key,
            Channel(row[2]),
            row[3],
            row[4],
            bytes(row[5]),
            row[6],
            bool(row[7]),
            Audience(row[8]),
        )
        if session_id in self._live:  # another request was faster
            return self._live[session_id]
        # A wall clock that was set back since must not lengthen anything: never more than a whole session.
        left_s = min((session.expires_ms - now_ms()) / 1000, self._limits.session_s)
        self._admission.adopt(None)
        self._live[session_id] = _Live(session, None, self._clock() + left_s, self._clock())
        return self._live[session_id]


class _Turn:
    """One turn at a time: taken on entry, given back on exit. Both are signs of life."""

    def __init__(self, live: _Live, admission: Admission, rate: Rate, clock: Callable[[], float]) -> None:
        self._live = live
        self._admission = admission
        self._rate = rate
        self._clock = clock

    def __enter__(self) -> None:
        if self._live.busy:
            raise SessionBusy
        now_s = self._clock()
        self._live.asked_whole_at_s = self._admission.ask(self._rate, self._live.asked_whole_at_s, now_s)
        self._live.busy = True

    def __exit__(self, *_: object) -> None:
        self._live.busy = False
        self._live.seen_s = self._clock()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
