"""Who of the staff may log in at the site, as what, and their open logins. Functions of the database.

Each change appends its row of audit in the same transaction. Passwords come here as argon2id hashes, tokens as SHA-256.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from core.signing import content_hash
from edge.store import audit

BREAK_GLASS = "break-glass"
# Rows of audit between which the seal of the break-glass account was whole.
SEALED, OPENED = "operators.break-glass", "login.break-glass"
# One operator on several machines; beyond it the login that was longest idle ends.
SESSIONS_MAX = 10
# A site's desk; each row is shown on one page.
OPERATORS_MAX = 200
_CLAIM = "console-claim"
# Names of a provider's can be anything; here they are as those of local accounts, with room for an ending.
NAME_CHARS_MAX = 48
_ODD = re.compile(r"[^A-Za-z0-9._@-]+")
_ENDING_CHARS = 8


class Role(StrEnum):
    """What somebody is at the site for; one person may have several. What each may do: edge/web/console/rules.py."""

    TECHNICIAN = "technician"
    DESK = "desk"
    DATA_PROTECTION = "data-protection"


class State(StrEnum):
    """Whether an operator may log in."""

    ACTIVE = "active"
    DISABLED = "disabled"
    BREAK_GLASS = "break-glass"


class Seal(StrEnum):
    """How the break-glass account is sealed."""

    NONE = "none"
    WHOLE = "whole"
    BROKEN = "broken"
    OLD = "old"
    """With one password for one person, by a release before 0.1.0's two halves: it opens nothing until sealed anew."""


class OperatorExists(PosternError):
    """The name is taken."""

    code = "operator_exists"
    title = "There is an operator of that name already"
    remedy = "Choose another name, or change that operator's roles."
    status = 409


class NoSuchOperator(PosternError):
    """Nobody has that name."""

    code = "no_such_operator"
    title = "There is no operator of that name"
    remedy = "See the names: postern operators list."
    status = 404


class LastTechnician(PosternError):
    """Nobody would be left who can add operators."""

    code = "last_technician"
    title = "This is the last technician"
    remedy = "Make somebody else technician first."
    status = 409


class OperatorDisabled(PosternError):
    """Known, and not let in."""

    code = "operator_disabled"
    title = "This operator is disabled at this site"
    remedy = "Ask a technician of the site."
    status = 403


class SealedAccount(PosternError):
    """The break-glass account is only ever sealed anew."""

    code = "sealed_account"
    title = "This is the break-glass account"
    remedy = "Seal it anew, in two envelopes: postern operators break-glass."
    status = 409


class TooManyOperators(PosternError):
    """The site has as many operators as it may."""

    code = "too_many_operators"
    title = "There are too many operators"
    remedy = f"A site has at most {OPERATORS_MAX}; log in through the organisation's own provider instead."
    status = 409


@dataclass(frozen=True)
class Operator:
    """Somebody of the staff."""

    name: str
    roles: frozenset[Role]
    display_name: str
    state: State
    single_sign_on: bool
    """Known from the organisation's own provider; has no password here."""
    created_ms: int


_SELECT = "SELECT name, role, display_name, state, oidc_subject IS NOT NULL, created_ms FROM operators "


def add(
    db: Database,
    actor: str,
    name: str,
    roles: Iterable[Role],
    password_hash: str | None,
    *,
    display_name: str = "",
    oidc_subject: str | None = None,
    state: State = State.ACTIVE,
) -> None:
    """A new operator. Raises OperatorExists, TooManyOperators."""
    if find(db, name) is not None:
        raise OperatorExists
    if db.execute("SELECT count(*) FROM operators").fetchone()[0] >= OPERATORS_MAX:
        raise TooManyOperators
    row = [name, _packed(roles), display_name, password_hash, oidc_subject, str(state), _now_ms()]
    db.execute(
        "INSERT INTO operators(name, role, display_name, password_hash, oidc_subject, state, created_ms) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        row,
    )
    audit.append(db, actor, "operators.add", name)


def find(db: Database, name: str) -> Operator | None:
    """The operator of that name, in whatever state."""
    row = db.execute(f"{_SELECT} WHERE name = ?", [name]).fetchone()
    return _operator(row) if row else None


def listing(db: Database) -> list[Operator]:
    """All operators by name, the break-glass account among them."""
    return [_operator(row) for row in db.execute(f"{_SELECT} ORDER BY name")]


def password_hashes(db: Database, name: str) -> tuple[str, str, State] | None:
    """The hash to check a login against, that of a sealed account's other half or "", and the state.

    None for nobody, disabled, or without a password.
    """
    row = db.execute(
        "SELECT password_hash, coalesce(second_hash, ''), state FROM operators "
        "WHERE name = ? AND state != ? AND password_hash IS NOT NULL",
        [name, State.DISABLED],
    ).fetchone()
    return (row[0], row[1], State(row[2])) if row else None


def set_password(db: Database, actor: str, name: str, new_hash: str) -> None:
    """A new password; logins that are open end. Raises NoSuchOperator, SealedAccount."""
    operator = _ordinary(db, name)
    if operator.single_sign_on:
        raise NoSuchOperator(f"{name} logs in through the organisation's provider and has no password here.")
    db.execute("UPDATE operators SET password_hash = ? WHERE name = ?", [new_hash, name])
    _end_sessions(db, name)
    audit.append(db, actor, "operators.set-password", name)


def set_roles(db: Database, actor: str, name: str, roles: Iterable[Role]) -> None:
    """Other roles, from the next request on. Raises NoSuchOperator, SealedAccount, LastTechnician."""
    operator, wanted = _ordinary(db, name), frozenset(roles)
    if Role.TECHNICIAN not in wanted:
        _not_the_last_technician(db, operator)
    db.execute("UPDATE operators SET role = ? WHERE name = ?", [_packed(wanted), name])
    audit.append(db, actor, "operators.set-roles", name)


def set_state(db: Database, actor: str, name: str, state: State) -> None:
    """Disable, which ends open logins, or enable again. Raises NoSuchOperator, SealedAccount, LastTechnician."""
    operator = _ordinary(db, name)
    if state is State.DISABLED:
        _not_the_last_technician(db, operator)
        _end_sessions(db, name)
    db.execute("UPDATE operators SET state = ? WHERE name = ?", [str(state), name])
    audit.append(db, actor, f"operators.{'disable' if state is State.DISABLED else 'enable'}", name)


def seal_break_glass(db: Database, actor: str, hashes: tuple[str, str]) -> None:
    """Give the emergency account two new halves of a password; what was printed before stops working."""
    if find(db, BREAK_GLASS) is None:
        add(db, actor, BREAK_GLASS, Role, None, display_name="Emergency", state=State.BREAK_GLASS)
    db.execute(
        "UPDATE operators SET password_hash = ?, second_hash = ? WHERE name = ?", [*hashes, BREAK_GLASS]
    )
    _end_sessions(db, BREAK_GLASS)
    audit.append(db, actor, SEALED, BREAK_GLASS)


def of_provider(db: Database, subject: str) -> Operator | None:
    """Whom the organisation's provider knows by this subject."""
    row = db.execute(f"{_SELECT} WHERE oidc_subject = ?", [subject]).fetchone()
    return _operator(row) if row else None


def admit_from_provider(
    db: Database, subject: str, name: str, display_name: str, roles: Iterable[Role]
) -> str:
    """The operator whom the provider vouches for, with the roles of today; the name here. Raises OperatorDisabled.

    A name that somebody else has is not taken over: it gets an ending of its own.
    """
    known = of_provider(db, subject)
    if known is None:
        name = _free_name(db, name, subject)
        add(db, "oidc", name, roles, None, display_name=display_name, oidc_subject=subject)
        return name
    if known.state is State.DISABLED:
        raise OperatorDisabled
    if known.roles != frozenset(roles):
        db.execute("UPDATE operators SET role = ? WHERE name = ?", [_packed(roles), known.name])
        audit.append(db, "oidc", "operators.set-roles", known.name)
    return known.name


# --- the first operator ---


def claimed(db: Database) -> bool:
    """Whether somebody can log in; the break-glass account is nobody."""
    found = db.execute("SELECT 1 FROM operators WHERE state != ? LIMIT 1", [State.BREAK_GLASS])
    return found.fetchone() is not None


def renew_claim(db: Database, code_hash: bytes) -> bool:
    """Make this the claim code, unless an operator exists; whether it was made so."""
    if claimed(db):
        db.execute("DELETE FROM meta WHERE name = ?", [_CLAIM])
        return False
    db.execute("INSERT OR REPLACE INTO meta(name, value) VALUES (?, ?)", [_CLAIM, code_hash])
    return True


def claim(db: Database, code_hash: bytes, name: str, new_hash: str) -> bool:
    """Spend the claim code: the first operator has every role, as nobody else could give any."""
    spent = db.execute("DELETE FROM meta WHERE name = ? AND value = ?", [_CLAIM, code_hash]).rowcount
    if spent != 1:
        return False
    add(db, name, name, Role, new_hash)
    return True


# --- open logins ---


def open_session(
    db: Database, token_hash: bytes, name: str, now_ms: int, expires_ms: int, bound_to: bytes
) -> None:
    """Keep a login; of one operator the last SESSIONS_MAX. Those that are over go by their age.

    `bound_to`: the browser that it works in; b"" for a program.
    """
    db.execute(
        "DELETE FROM operator_sessions WHERE operator = ? AND token_hash NOT IN (SELECT token_hash FROM "
        "operator_sessions WHERE operator = ? ORDER BY seen_ms DESC LIMIT ?)",
        [name, name, SESSIONS_MAX - 1],
    )
    db.execute(
        "INSERT INTO operator_sessions(token_hash, operator, expires_ms, seen_ms, bound_to) "
        "VALUES (?, ?, ?, ?, ?)",
        [token_hash, name, expires_ms, now_ms, bound_to],
    )


def session_operator(
    db: Database, token_hash: bytes, now_ms: int, idle_ms: int
) -> tuple[Operator, int, bytes] | None:
    """Who is logged in with a token, when they last did something, and the browser that it works in.

    None when over, idle or disabled.
    """
    row = db.execute(
        "SELECT operator, seen_ms, bound_to FROM operator_sessions "
        "WHERE token_hash = ? AND expires_ms > ? AND seen_ms > ?",
        [token_hash, now_ms, now_ms - idle_ms],
    ).fetchone()
    operator = find(db, row[0]) if row else None
    if operator is None or operator.state is State.DISABLED:
        return None
    return operator, int(row[1]), bytes(row[2])


def touch_session(db: Database, token_hash: bytes, now_ms: int) -> None:
    """Somebody did something."""
    db.execute("UPDATE operator_sessions SET seen_ms = ? WHERE token_hash = ?", [now_ms, token_hash])


def close_session(db: Database, token_hash: bytes) -> None:
    """End a login."""
    db.execute("DELETE FROM operator_sessions WHERE token_hash = ?", [token_hash])


def emergency_in_use(db: Database, now_ms: int) -> bool:
    """Whether somebody is logged in with the break-glass account."""
    found = db.execute(
        "SELECT 1 FROM operator_sessions WHERE operator = ? AND expires_ms > ? LIMIT 1", [BREAK_GLASS, now_ms]
    )
    return found.fetchone() is not None


def _free_name(db: Database, wanted: str, subject: str) -> str:
    """`wanted` as a name, with letters of the subject's hash where it is taken or nothing is left of it."""
    name = _ODD.sub("-", wanted)[:NAME_CHARS_MAX].strip("-._@")
    ending = content_hash(subject.encode()).hex()[:_ENDING_CHARS]
    return name if name and find(db, name) is None else f"{name or 'operator'}.{ending}"


def opened_ms(db: Database) -> int | None:
    """When the break-glass account was first used since it was last sealed; None while the seal is whole."""
    row = db.execute(
        "SELECT min(at_ms) FROM audit WHERE action = ? AND object = ? AND outcome = ? "
        "AND id > (SELECT coalesce(max(id), 0) FROM audit WHERE action = ? AND object = ?)",
        [OPENED, BREAK_GLASS, audit.Outcome.DONE, SEALED, BREAK_GLASS],
    ).fetchone()
    return row[0] if row else None


def seal(db: Database) -> Seal:
    """How the break-glass account is sealed."""
    if find(db, BREAK_GLASS) is None:
        return Seal.NONE
    if opened_ms(db) is not None:
        return Seal.BROKEN
    found = password_hashes(db, BREAK_GLASS)
    return Seal.WHOLE if found is not None and found[1] else Seal.OLD


def _ordinary(db: Database, name: str) -> Operator:
    operator = find(db, name)
    if operator is None:
        raise NoSuchOperator
    if operator.state is State.BREAK_GLASS:
        raise SealedAccount
    return operator


def _not_the_last_technician(db: Database, operator: Operator) -> None:
    others = (
        other
        for other in listing(db)
        if other.state is State.ACTIVE and Role.TECHNICIAN in other.roles and other.name != operator.name
    )
    if Role.TECHNICIAN in operator.roles and operator.state is State.ACTIVE and not any(others):
        raise LastTechnician


def _end_sessions(db: Database, name: str) -> None:
    db.execute("DELETE FROM operator_sessions WHERE operator = ?", [name])


def _operator(row: tuple[Any, ...]) -> Operator:
    roles = frozenset(Role(role) for role in row[1].split())
    return Operator(row[0], roles, row[2], State(row[3]), bool(row[4]), row[5])


def _packed(roles: Iterable[Role]) -> str:
    return " ".join(sorted(set(roles)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
