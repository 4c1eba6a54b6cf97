"""Conversations that go on at a sibling: a token after every final answer here, and one of a sibling's taken up.

Nothing is shared and nothing is sent between nodes: the customer's page carries the token, which it cannot read. A node
takes a conversation once for each of its moves, writes that down in the transaction that takes it up, and never takes
what it gave out itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from sqlite_utils import Database

from core.errors import PosternError
from edge import metrics
from edge.chat import continuation, continuation_rows, session_rows
from edge.chat.continuation import Continuation, ContinuationRefused
from edge.chat.live_session import Memory
from edge.chat.session import Beginning, Channel, NewSession, Session, Sessions, StaleNotice
from edge.chat.session_rows import Agreed, now_ms
from edge.knowledge.document import Audience
from edge.store import text_uses
from edge.store.store import Store
from edge.store.subjects import of_session
from models.detect.label import Label

log = logging.getLogger(__name__)

GIVEN: Final = "given"
TAKEN: Final = "taken"
REFUSED: Final = "refused"
FAILED: Final = "failed"
"""What became of a token, in `postern_continuations_total`; failed: none could be made, the answer stands."""

CLOCKS_APART_MS: Final = 300_000
"""Nodes of a site keep the same time within this, as for Kerberos (RFC 4120, 3.1.3)."""


class StaffLoginNeeded(PosternError):
    """A conversation that was answered from staff documents goes on for staff only."""

    code = "staff_login_needed"
    title = "This conversation is one of the staff's"
    remedy = "Log in at this node, or send an operator's token; else start a new conversation."
    status = 403


class Continuing:
    """Used from one event loop. `key`: what the site's nodes share; `notice`: the version in force."""

    def __init__(self, store: Store, sessions: Sessions, key: bytes, site: str, notice: str) -> None:
        self._store = store
        self._sessions = sessions
        self._key = key
        self._site = site
        self._notice = notice
        # One a conversation: what takes it up twice at once must not wipe what the first has just taken.
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def token(self, session: Session) -> str | None:
        """For what has been said up to now; None where none can be made: the answer before it stands."""
        try:
            told = await self._told(session)
        except PosternError as error:
            metrics.continuations.labels(FAILED).inc()
            log.warning("no continuation token", extra={"code": error.code})
            return None
        if told is None:
            return None
        metrics.continuations.labels(GIVEN).inc()
        return continuation.seal(self._key, self._site, told)

    def open(self, token: str) -> Continuation:
        """What a sibling's token holds. Raises ContinuationRefused, StaleNotice."""
        try:
            told = continuation.opened(self._key, self._site, token, now_ms())
        except ContinuationRefused:
            metrics.continuations.labels(REFUSED).inc()
            raise
        if told.notice_version != self._notice:
            metrics.continuations.labels(REFUSED).inc()
            raise StaleNotice("The sibling has shown another notice.")
        return told

    async def take(self, told: Continuation, address: str | None) -> NewSession:
        """Go on with it here. Raises ContinuationRefused, TooManySessions, RateLimited, StoreBusy."""
        write, admit = partial(self._written, told=told), partial(self._refuse_erased, told=told)
        try:
            async with self._doors.setdefault(told.conversation, asyncio.Lock()):
                await self._refuse(told)
                new = await self._sessions.begin(_beginning(told), address, write, told.expires_ms, admit)
        except ContinuationRefused:
            metrics.continuations.labels(REFUSED).inc()
            raise
        self._sessions.remember(new.session, Memory(told.topic, told.offered))
        metrics.continuations.labels(TAKEN).inc()
        return new

    async def _refuse(self, told: Continuation) -> None:
        """Raises ContinuationRefused. What this node has of an earlier stay goes: the token is newer."""
        await self._store.read(partial(continuation_rows.refuse_taken, told=told))
        earlier = await self._store.read(partial(session_rows.owner, session_id=told.conversation))
        if earlier and not await self._sessions.wipe(told.conversation):
            raise ContinuationRefused("A legal hold keeps it as it was.")

    def _refuse_erased(self, keys: Database, told: Continuation) -> None:
        """Raises ContinuationRefused for whom this node has erased in the time of a conversation.

        Whenever the token was made: its answers may be older, and its times are those of another clock.
        """
        since_ms = now_ms() - self._sessions.session_s * 1000 - CLOCKS_APART_MS
        for subject in (told.subject, of_session(told.conversation)):
            if continuation_rows.erased_since(keys, self._store.digests.of(subject), since_ms):
                raise ContinuationRefused("It was erased.")

    def _written(self, db: Database, session: Session, row: Mapping[str, object], told: Continuation) -> None:
        """The conversation's rows, in one transaction with that it was taken.

        Whether texts may leave the page says again: it may have been taken back since the token was made.
        """
        continuation_rows.take(db, told)
        session_rows.insert(db, row)
        digest = self._store.digests.of(session.key.subject)
        session_rows.consent(db, session.id, told.notice_version, None, told.consented_ms, digest)
        continuation_rows.restore(db, session, told)

    async def _told(self, session: Session) -> Continuation | None:
        """None before the notice was accepted, and once the conversation is over."""
        memory = self._sessions.memory(session)
        gathered = partial(_gathered, session=session, memory=memory)
        found = await self._store.read(gathered)
        if found is None:
            return None
        told, known = found
        if session.id in self._store.off_record:  # what is missing may have been anything
            told = replace(told, label=Label.SPECIAL)
        if not known:
            await self._store.write(
                partial(continuation_rows.begin, conversation=session.id, expires_ms=session.expires_ms)
            )
        return told


def _gathered(db: Database, session: Session, memory: Memory) -> tuple[Continuation, bool] | None:
    """What a token tells, and whether one went out before."""
    agreed: Agreed | None = session_rows.agreed(db, session.id)
    if agreed is None:
        return None
    moves = continuation_rows.moves(db, session.id)
    told = Continuation(
        conversation=session.id,
        moves=moves or continuation_rows.NOT_MOVED,
        subject=session.key.subject,
        channel=session.channel,
        locale=session.locale,
        audience=session.audience,
        notice_version=agreed.version,
        consented_ms=agreed.at_ms,
        expires_ms=session.expires_ms,
        label=continuation_rows.label(db, session.id),
        spent=text_uses.spent_by_purpose(db, session.id),
        topic=memory.topic,
        offered=memory.offered,
        turns=continuation_rows.newest(db, session),
    )
    return told, moves is not None


def _beginning(told: Continuation) -> Beginning:
    """Raises ContinuationRefused for what this release does not know."""
    try:
        return Beginning(
            told.conversation,
            told.subject,
            Channel(told.channel),
            told.locale,
            Audience(told.audience),
            told.notice_version,
        )
    except ValueError:
        raise ContinuationRefused from None
