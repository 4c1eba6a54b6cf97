"""The console's accounts in the site's store: `core.webshell.accounts.AccountStore` over operators and their logins."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from sqlite_utils import Database

from core.webshell.accounts import Account, Credential, Note, Session
from edge import metrics
from edge.store import audit, operators
from edge.store.audit import Outcome
from edge.store.operators import State
from edge.store.store import Store

log = logging.getLogger(__name__)

# A login that is used is written down as used at most this often.
TOUCH_EVERY = timedelta(seconds=30)


class OperatorAccounts:
    """Accounts of the staff; a login that nobody uses for `idle` is over."""

    def __init__(self, store: Store, idle: timedelta) -> None:
        self._store = store
        self._idle_ms = _ms(idle)

    async def renew_claim(self, code_hash: bytes) -> bool:
        return await self._store.write(lambda db: operators.renew_claim(db, code_hash))

    async def claim(self, code_hash: bytes, name: str, password_hash: str, note: Note) -> bool:
        def write(db: Database) -> bool:
            made = operators.claim(db, code_hash, name, password_hash)
            if made:
                _write_down(db, note)
            return made

        return await self._store.write(write)

    async def claimed(self) -> bool:
        return await self._store.read(operators.claimed)

    async def credential(self, name: str) -> Credential | None:
        return await self._store.read(lambda db: _credential(db, name))

    async def open_session(
        self, token_hash: bytes, name: str, expires: datetime, bound_to: bytes, note: Note
    ) -> None:
        if name == operators.BREAK_GLASS:
            log.warning("the break-glass account is in use")
            metrics.break_glass_logins.inc()

        def write(db: Database) -> None:
            now_ms, expires_ms = _epoch_ms(note.at), _epoch_ms(expires)
            operators.open_session(db, token_hash, name, now_ms, expires_ms, bound_to)
            _write_down(db, note)

        await self._store.write(write)

    async def session(self, token_hash: bytes, now: datetime, browser: bytes, active: bool) -> Session | None:
        now_ms = _epoch_ms(now)
        found = await self._store.read(
            lambda db: operators.session_operator(db, token_hash, now_ms, self._idle_ms)
        )
        if found is None:
            return None
        operator, seen_ms, bound_to = found
        if active and bound_to == browser and now_ms - seen_ms >= _ms(TOUCH_EVERY):
            await self._store.write(lambda db: operators.touch_session(db, token_hash, now_ms))
        emergency = operator.state is State.BREAK_GLASS
        return Session(Account(operator.name, operator.roles, emergency=emergency), bound_to)

    async def close_session(self, token_hash: bytes, note: Note) -> None:
        def write(db: Database) -> None:
            operators.close_session(db, token_hash)
            _write_down(db, note)

        await self._store.write(write)

    async def add_note(self, note: Note) -> None:
        await self._store.write(lambda db: _write_down(db, note))


def _credential(db: Database, name: str) -> Credential | None:
    found = operators.password_hashes(db, name)
    if found is None:
        return None
    first, second, state = found
    if state is not State.BREAK_GLASS:
        return Credential(first)
    opened_ms = operators.opened_ms(db)
    opened = None if opened_ms is None else datetime.fromtimestamp(opened_ms / 1000, UTC)
    return Credential(first, second, emergency=True, opened=opened)


def _write_down(db: Database, note: Note) -> None:
    at_ms = _epoch_ms(note.at)
    if note.outcome == Outcome.REFUSED:
        audit.refused(db, note.actor, note.action, note.actor, at_ms)
    else:
        audit.append(db, note.actor, note.action, note.actor, Outcome(note.outcome), at_ms=at_ms)


def _epoch_ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
