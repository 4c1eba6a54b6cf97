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
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from sqlite_utils import Database

from core.errors import PosternError
from edge.chat import session_rows
from edge.chat.admission import Admission, RateLimited
from edge.chat.conversation import (
    Beginning,
    Channel,
    NewSession,
    NoticeRequired,
    Session,
    StaleNotice,
    Write,
)
from edge.chat.live_session import Live, Memory, OneTurn
from edge.chat.rates import Rate
from edge.chat.session_rows import SessionNotFound, now_ms
from edge.chat.unrecorded import Unrecorded
from edge.config import LimitsSection
from edge.knowledge.document import Audience
from edge.privacy.holds import held_subjects, shred_unless_held
from edge.repeating import repeat
from edge.store.store import Store
from edge.store.subjects import SubjectKey, create_key, load_key, of_session

__all__ = [
    "Beginning",
    "Channel",
    "NewSession",
    "NoticeRequired",
    "Session",
    "Sessions",
    "StaleNotice",
    "Write",
    "boot_s",
]

TOKEN_BYTES = 32
ID_BYTES = 12
# A conversation lives at most this long beyond its end before the sweeper wipes it.
SWEEP_INTERVAL_S = 5.0
# The page says that somebody is there at most so often, and its wipe may be on the way when the node's is due.
IDLE_GRACE_S = 5.0


def boot_s() -> float:
    """Seconds since the machine started, sleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Sessions:
    """The node's conversations. Used from one event loop. `clock`: seconds, never going back."""

    def __init__(
        self,
        store: Store,
        limits: LimitsSection,
        clock: Callable[[], float] = boot_s,
        *,
        unrecorded: bool = False,
    ) -> None:
        """`unrecorded`: whether conversations go on while the store takes no row."""
        self.unrecorded = Unrecorded(store, allowed=unrecorded)
        self._store = store
        self._limits = limits
        self._clock = clock
        self._admission = Admission(limits)
        self._live: dict[str, Live] = {}
        # Conversations that are being forgotten: nobody finds them in the store meanwhile.
        self._ending: set[str] = set()
        # Those that could not be: nobody finds these either, and the next sweep tries again.
        self._unwiped: set[str] = set()
        # Whether what an earlier run left has been looked at.
        self._taken_up = False
        # One a person: an erasure and a new conversation of theirs wait for each other.
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Told which conversation has ended, once it is forgotten, or kept for a legal hold.
        self.on_end: list[Callable[[str], None]] = []

    def __len__(self) -> int:
        return len(self._live)

    @property
    def session_s(self) -> int:
        """How long a conversation lasts at most, seconds."""
        return self._limits.session_s

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
        wanted = Beginning(secrets.token_urlsafe(ID_BYTES), subject, channel, locale, audience)
        return await self.begin(wanted, address)

    async def begin(
        self,
        wanted: Beginning,
        address: str | None,
        write: Write | None = None,
        until_ms: int | None = None,
        admit: Callable[[Database], None] = lambda _: None,
    ) -> NewSession:
        """As `create`, of a conversation that may have begun elsewhere.

        `write`: its rows, in one transaction; what it raises comes out. `until_ms`: ends by then, by the wall clock.
        `admit`: looks at the file of keys before its person has one; what it raises comes out, too.
        """
        now_s, created_ms = self._clock(), now_ms()
        expires_ms = created_ms + self._limits.session_s * 1000
        expires_ms = expires_ms if until_ms is None else min(expires_ms, until_ms)
        total_s = max(0, expires_ms - created_ms) // 1000
        self._admission.begin(address, now_s, self._next_end_s)
        try:
            token = secrets.token_urlsafe(TOKEN_BYTES)
            subject = wanted.subject or of_session(wanted.id)
            async with self._door(subject):
                once = write is not None  # one from elsewhere is let in once, which must be on record
                key, known = await self.unrecorded.key_of(
                    subject, partial(self._subject_key, admit=admit), required=once
                )
                session = wanted.session(key, expires_ms, _hash(token))
                row = _row(session, created_ms)
                stored = known and await self.unrecorded.recorded(
                    lambda db: (write or _insert)(db, session, row), "conversations", required=once
                )
                self._live[session.id] = Live(
                    replace(session, recorded=stored), address, now_s + total_s, now_s, stored=stored
                )
        except BaseException:
            self._admission.end(address)
            raise
        return NewSession(self._live[session.id].session, token, total_s, self._idle_s(session.channel))

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

    def caller(self, session_id: str) -> str | None:
        """Who takes turns with others before the encoder and the model: the address; None where it is not known."""
        live = self._live.get(session_id)
        return live.address if live else None

    async def consent(self, session: Session, notice_version: str, overflow: bool | None) -> Session:
        """Somebody has read the notice, and permits overflow, or does not, or (None) was not asked.

        Kept for them beyond the conversation; a change of mind is one more row, and holds for the next text.
        Raises SessionNotFound, StoreUnwritable.
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
        at_ms, recorded = now_ms(), False
        try:
            recorded = session.recorded and await self.unrecorded.recorded(
                lambda db: session_rows.consent(db, session.id, notice_version, overflow, at_ms, digest),
                "consents",
                required=session.overflow_consent,  # else the row permits what was taken back
            )
        finally:
            if not recorded:
                self.keep_in(session)
        consented = replace(
            session,
            notice_version=notice_version,
            overflow_consent=bool(overflow) and recorded,  # a consent that nobody can prove permits nothing
            recorded=recorded,
        )
        self._held(session).session = consented
        return consented

    def keep_in(self, session: Session) -> None:
        """Something of it is not on record: nothing of it leaves any more, until it ends."""
        if session.id in self._live:
            self._store.off_record.add(session.id)

    def claim(self, session: Session) -> OneTurn:
        """The right to one turn, as a context manager.

        Raises NoticeRequired, SessionNotFound; on entry SessionBusy, RateLimited.
        """
        if not session.consented:
            raise NoticeRequired
        return OneTurn(self._held(session), self._admission, self._turn_rate(session.channel), self._clock)

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

    async def wipe(self, session_id: str) -> bool:
        """End a conversation and forget it: its rows, and its subject's key unless they have another conversation.

        False where a legal hold keeps it; it has ended all the same.
        """
        live, own = self._let_go(session_id), of_session(session_id)
        if live is not None and not live.stored:
            self._ending.discard(session_id)
            self._tell(session_id)
            return True
        try:
            owner = live.session.key.subject if live else await self._owner(session_id)
            gone = await self._store.write_keys(lambda keys: shred_unless_held(keys, own, owner))
            if gone:
                await self._store.write(lambda db: session_rows.delete(db, session_id))
            else:
                await self._store.write(lambda db: session_rows.end(db, session_id, now_ms()))
            self._unwiped.discard(session_id)
        except BaseException:
            self._unwiped.add(session_id)
            raise
        finally:
            self._ending.discard(session_id)
        self._tell(session_id)
        if gone and owner not in {"", own}:
            with suppress(PosternError):  # within the hour, then (`edge.privacy.retaining`)
                await self.forget_idle(owner)
        return gone

    async def forget_idle(self, subject: str) -> bool:
        """Shred the key of somebody who has no conversation any more, and forget their name; whether it was so.

        Nothing of theirs is left that the key would open: tickets have keys of their own. A legal hold wins.
        """
        async with self._door(subject):
            if await self._store.read(lambda db: session_rows.of_subject(db, subject)):
                return False
            if not await self._store.write_keys(lambda keys: shred_unless_held(keys, subject)):
                return False
            await self._store.write(lambda db: session_rows.forget_subject(db, subject))
            return True

    @asynccontextmanager
    async def closed(self, subject: str) -> AsyncIterator[int]:
        """Nobody speaks for `subject` meanwhile: how many conversations ended, and a new one begins afterwards.

        What is stored of them the caller takes away; what it leaves may be taken up again.
        """
        async with self._door(subject):
            stored = await self._store.read(lambda db: session_rows.of_subject(db, subject))
            held = [name for name, live in self._live.items() if live.session.key.subject == subject]
            ended = set(stored) | set(held)
            for session_id in ended:
                self._let_go(session_id)
            try:
                yield len(held)
            finally:
                self._ending -= ended
                for session_id in ended:
                    self._tell(session_id)

    async def sweep(self) -> None:
        """Wipe conversations whose time or silence is over, for as long as the node runs.

        What an earlier run of the node left open is silent from now on, whenever it was last heard.
        """
        await repeat("sessions", self._sweep, SWEEP_INTERVAL_S)

    async def _sweep(self) -> None:
        if not self._taken_up:
            for session_id in await self._store.read(session_rows.identifiers):
                if session_id not in self._live and await self._load(session_id) is None:
                    await self.wipe(session_id)
            self._taken_up = True
        await self.unrecorded.look()
        await self.sweep_once()

    async def sweep_once(self) -> None:
        """Wipe what is over now."""
        over = {session_id for session_id, live in self._live.items() if self._over(live)}
        over |= set(await self._store.read(lambda db: session_rows.ended(db, now_ms()))) | self._unwiped
        for session_id in [*over, *await self._released()]:
            await self.wipe(session_id)

    async def _released(self) -> list[str]:
        """Conversations that ended under a legal hold which is no more."""
        kept = await self._store.read(session_rows.kept)
        held = await self._store.read_keys(held_subjects) if kept else frozenset()
        released = [subject for subject in kept if subject not in held]
        found = [await self._store.read(partial(session_rows.of_subject, subject=name)) for name in released]
        return [session_id for of_one in found for session_id in of_one if session_id not in self._live]

    def _over(self, live: Live) -> bool:
        return self._ends_s(live) <= self._clock() or live.session.expires_ms <= now_ms()

    def _ends_s(self, live: Live) -> float:
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

    def require_open(self, session: Session) -> None:
        """For work that goes on for a while: raises SessionNotFound once the conversation has ended."""
        self._held(session)

    def _held(self, session: Session) -> Live:
        live = self._live.get(session.id)
        if live is None:  # ended since the request began
            raise SessionNotFound
        return live

    def _let_go(self, session_id: str) -> Live | None:
        self._ending.add(session_id)
        live = self._live.pop(session_id, None)
        if live is not None:
            self._admission.end(live.address)
        return live

    async def _owner(self, session_id: str) -> str:
        return await self._store.read(lambda db: session_rows.owner(db, session_id))

    def _tell(self, session_id: str) -> None:
        self._store.off_record.discard(session_id)
        for told in self.on_end:
            told(session_id)

    def _door(self, subject: str) -> asyncio.Lock:
        return self._doors.setdefault(subject, asyncio.Lock())

    async def _subject_key(self, subject: str, admit: Callable[[Database], None]) -> SubjectKey:
        def load_or_create(keys: Database) -> SubjectKey:
            admit(keys)
            return load_key(keys, subject) or create_key(keys, subject)

        return await self._store.write_keys(load_or_create)

    async def _load(self, session_id: str) -> Live | None:
        row = await self._store.read(lambda db: session_rows.select(db, session_id))
        if row is None:
            return None
        subject = str(row[1])
        key = await self._store.read_keys(lambda keys: load_key(keys, subject))
        if key is None or session_id in self._ending | self._unwiped:
            return None
        session = session_rows.session_of(row, key)
        if session_id in self._live:  # another request was faster
            return self._live[session_id]
        # A wall clock that was set back since must not lengthen anything: never more than a whole session.
        left_s = min((session.expires_ms - now_ms()) / 1000, self._limits.session_s)
        self._admission.adopt(None)
        self._live[session_id] = Live(session, None, self._clock() + left_s, self._clock())
        return self._live[session_id]


def _insert(db: Database, _: Session, row: Mapping[str, object]) -> None:
    session_rows.insert(db, row)


def _row(session: Session, created_ms: int) -> dict[str, object]:
    return {
        "id": session.id,
        "subject": session.key.subject,
        "token_hash": session.token_hash,
        "channel": session.channel,
        "locale": session.locale,
        "created_ms": created_ms,
        "expires_ms": session.expires_ms,
        "audience": session.audience,
    }


def _hash(token: str) -> bytes:
    # A header's bytes that are no UTF-8 come as surrogates.
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
