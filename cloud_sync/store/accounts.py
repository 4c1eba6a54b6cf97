"""Queries on admins, their sessions and the first admin's claim: the `AccountStore` of this console."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.audit import AuditRow, add_audit, add_refusal
from cloud_sync.store.database import Database
from cloud_sync.store.schema import admins, claims, web_sessions
from core.webshell.accounts import Account, Credential, Note, Session

# One admin on several machines; beyond it the oldest session ends.
SESSIONS_MAX = 20


class AdminStore:
    """`core.webshell.accounts.AccountStore` on the control plane's database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def renew_claim(self, code_hash: bytes) -> bool:
        def write(connection: sa.Connection) -> bool:
            if _claimed(connection):
                return False
            connection.execute(claims.delete())
            connection.execute(claims.insert().values(id=1, code_hash=code_hash))
            return True

        return await self._database.run(write)

    async def claim(self, code_hash: bytes, name: str, password_hash: str, note: Note) -> bool:
        def write(connection: sa.Connection) -> bool:
            unspent = claims.update().where(claims.c.code_hash == code_hash, claims.c.spent_at.is_(None))
            if connection.execute(unspent.values(spent_at=note.at)).rowcount != 1:
                return False
            connection.execute(
                admins.insert().values(name=name, password_hash=password_hash, created_at=note.at)
            )
            _write_down(connection, note)
            return True

        return await self._database.run(write)

    async def claimed(self) -> bool:
        return await self._database.run(_claimed)

    async def credential(self, name: str) -> Credential | None:
        query = sa.select(admins.c.password_hash).where(admins.c.name == name)
        found = await self._database.run(lambda connection: connection.execute(query).scalar_one_or_none())
        return Credential(found) if found is not None else None

    async def open_session(
        self, token_hash: bytes, name: str, expires: datetime, bound_to: bytes, note: Note
    ) -> None:
        def write(connection: sa.Connection) -> None:
            connection.execute(web_sessions.delete().where(web_sessions.c.expires_at <= note.at))
            _end_oldest(connection, name)
            session = {"token_hash": token_hash, "admin": name, "created_at": note.at, "expires_at": expires}
            connection.execute(web_sessions.insert().values(**session, bound_to=bound_to))
            _write_down(connection, note)

        await self._database.run(write)

    async def session(self, token_hash: bytes, now: datetime, browser: bytes, active: bool) -> Session | None:
        query = sa.select(web_sessions.c.admin, web_sessions.c.bound_to).where(
            web_sessions.c.token_hash == token_hash, web_sessions.c.expires_at > now
        )
        found = await self._database.run(lambda connection: connection.execute(query).one_or_none())
        return Session(Account(found.admin), found.bound_to or b"") if found is not None else None

    async def close_session(self, token_hash: bytes, note: Note) -> None:
        def write(connection: sa.Connection) -> None:
            connection.execute(web_sessions.delete().where(web_sessions.c.token_hash == token_hash))
            _write_down(connection, note)

        await self._database.run(write)

    async def add(self, name: str, password_hash: str, note: Note) -> bool:
        """A further account; False when the name is taken."""

        def write(connection: sa.Connection) -> bool:
            if name in admin_names(connection):
                return False
            values = {"name": name, "password_hash": password_hash, "created_at": note.at}
            connection.execute(admins.insert().values(**values))
            _write_down(connection, note)
            return True

        return await self._database.run(write)

    async def add_note(self, note: Note) -> None:
        await self._database.run(lambda connection: _write_down(connection, note))


def admin_names(connection: sa.Connection) -> frozenset[str]:
    """Who has an account."""
    return frozenset(connection.execute(sa.select(admins.c.name)).scalars())


def _claimed(connection: sa.Connection) -> bool:
    return bool(connection.execute(sa.select(sa.exists(sa.select(admins.c.name)))).scalar_one())


def _end_oldest(connection: sa.Connection, name: str) -> None:
    newest_first = sa.select(web_sessions.c.token_hash).where(web_sessions.c.admin == name)
    newest_first = newest_first.order_by(web_sessions.c.created_at.desc()).offset(SESSIONS_MAX - 1)
    surplus = list(connection.execute(newest_first.limit(SESSIONS_MAX)).scalars())
    connection.execute(web_sessions.delete().where(web_sessions.c.token_hash.in_(surplus)))


def _write_down(connection: sa.Connection, note: Note) -> None:
    add = add_refusal if note.outcome == "refused" else add_audit
    add(connection, AuditRow(note.at, note.actor, note.action, note.actor))
