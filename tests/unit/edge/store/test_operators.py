"""Operators: one claim, roles, the last technician, logins that end; every change leaves its row of audit."""

from __future__ import annotations

import sqlite3

import pytest
from sqlite_utils import Database

from edge.store import audit, migrations, operators
from edge.store.audit import AuditFilter, Outcome
from edge.store.operators import (
    BREAK_GLASS,
    LastTechnician,
    NoSuchOperator,
    OperatorExists,
    Role,
    Seal,
    SealedAccount,
    State,
)

IDLE_MS = 1000
HALVES = ("hash", "other half")
BROWSER = b"browser"


@pytest.fixture
def db() -> Database:
    opened = Database(sqlite3.connect(":memory:"))
    migrations.site.apply(opened)
    return opened


def actions(db: Database) -> list[str]:
    return [row.action for row in reversed(audit.search(db, AuditFilter(), 100))]


def test_the_claim_code_works_once_and_not_after_there_is_an_operator(db: Database) -> None:
    assert operators.renew_claim(db, b"first")
    assert operators.renew_claim(db, b"second")
    assert not operators.claim(db, b"first", "ada", "hash")
    assert operators.claim(db, b"second", "ada", "hash")
    assert not operators.claim(db, b"second", "eve", "hash")
    assert not operators.renew_claim(db, b"third")
    assert not operators.claim(db, b"third", "eve", "hash")
    (ada,) = operators.listing(db)
    assert ada.roles == set(Role)


def test_the_sealed_account_alone_claims_nothing(db: Database) -> None:
    operators.seal_break_glass(db, "command line", HALVES)
    assert not operators.claimed(db)
    assert operators.renew_claim(db, b"code")
    assert operators.password_hashes(db, BREAK_GLASS) == (*HALVES, State.BREAK_GLASS)
    operators.seal_break_glass(db, "command line", ("new hash", "its other half"))
    assert operators.password_hashes(db, BREAK_GLASS) == ("new hash", "its other half", State.BREAK_GLASS)


@pytest.mark.proves("emergency-access")
def test_the_sealed_account_is_only_sealed_anew(db: Database) -> None:
    operators.seal_break_glass(db, "command line", HALVES)
    for change in (
        lambda: operators.set_password(db, "ada", BREAK_GLASS, "chosen"),
        lambda: operators.set_roles(db, "ada", BREAK_GLASS, [Role.DESK]),
        lambda: operators.set_state(db, "ada", BREAK_GLASS, State.DISABLED),
    ):
        with pytest.raises(SealedAccount):
            change()
    assert operators.password_hashes(db, BREAK_GLASS) == (*HALVES, State.BREAK_GLASS)


@pytest.mark.proves("emergency-access")
def test_a_used_seal_is_broken_until_it_is_made_anew(db: Database) -> None:
    assert (operators.seal(db), operators.opened_ms(db)) == (Seal.NONE, None)
    operators.seal_break_glass(db, "terminal", HALVES)
    audit.append(db, "ada", "login", "ada")
    audit.append(db, BREAK_GLASS, operators.OPENED, BREAK_GLASS, Outcome.REFUSED)
    assert (operators.seal(db), operators.opened_ms(db)) == (Seal.WHOLE, None)
    for at_ms in (5_000, 6_000):
        audit.append(db, BREAK_GLASS, operators.OPENED, BREAK_GLASS, at_ms=at_ms)
    assert (operators.seal(db), operators.opened_ms(db)) == (Seal.BROKEN, 5_000)
    operators.seal_break_glass(db, "terminal", HALVES)
    assert (operators.seal(db), operators.opened_ms(db)) == (Seal.WHOLE, None)


def test_a_seal_of_one_password_is_told_as_an_old_one(db: Database) -> None:
    operators.seal_break_glass(db, "terminal", HALVES)
    db.execute("UPDATE operators SET second_hash = NULL")
    assert operators.seal(db) is Seal.OLD


def test_names_are_used_once_and_unknown_ones_are_said(db: Database) -> None:
    operators.add(db, "ada", "bob", [Role.DESK], "hash")
    with pytest.raises(OperatorExists):
        operators.add(db, "ada", "bob", [Role.DESK], "hash")
    for change in (
        lambda: operators.set_password(db, "ada", "eve", "hash"),
        lambda: operators.set_roles(db, "ada", "eve", [Role.DESK]),
        lambda: operators.set_state(db, "ada", "eve", State.DISABLED),
    ):
        with pytest.raises(NoSuchOperator):
            change()


def test_there_is_always_a_technician(db: Database) -> None:
    operators.add(db, "ada", "ada", [Role.TECHNICIAN], "hash")
    operators.seal_break_glass(db, "ada", HALVES)
    with pytest.raises(LastTechnician):
        operators.set_state(db, "ada", "ada", State.DISABLED)
    with pytest.raises(LastTechnician):
        operators.set_roles(db, "ada", "ada", [Role.DESK])
    operators.add(db, "ada", "bob", [Role.TECHNICIAN], "hash")
    operators.set_state(db, "bob", "ada", State.DISABLED)
    with pytest.raises(LastTechnician):
        operators.set_state(db, "bob", "bob", State.DISABLED)


@pytest.mark.proves("log-off")
def test_a_login_ends_by_time_idleness_new_password_and_disabling(db: Database) -> None:
    for name in ("ada", "bob"):
        operators.add(db, "ada", name, [Role.TECHNICIAN], "hash")

    def inside(token: bytes, now_ms: int) -> bool:
        return operators.session_operator(db, token, now_ms, IDLE_MS) is not None

    operators.open_session(db, b"1", "ada", 0, 10_000, BROWSER)
    assert inside(b"1", IDLE_MS - 1)
    assert not inside(b"1", IDLE_MS)
    operators.touch_session(db, b"1", 9_500)
    assert inside(b"1", 9_999)
    assert not inside(b"1", 10_000)
    operators.set_password(db, "ada", "ada", "other")
    assert not inside(b"1", 9_999)
    operators.open_session(db, b"2", "bob", 0, 10_000, BROWSER)
    operators.set_state(db, "ada", "bob", State.DISABLED)
    assert not inside(b"2", 1)
    assert operators.password_hashes(db, "bob") is None


def test_one_operator_has_a_bounded_number_of_logins(db: Database) -> None:
    operators.add(db, "ada", "ada", [Role.DESK], "hash")
    for number in range(operators.SESSIONS_MAX + 1):
        operators.open_session(db, b"%d" % number, "ada", number, 10_000, BROWSER)
    assert operators.session_operator(db, b"0", 20, IDLE_MS) is None
    assert operators.session_operator(db, b"1", 20, IDLE_MS) is not None


@pytest.mark.proves("audit")
def test_every_change_is_written_down_and_a_refused_one_is_not_called_done(db: Database) -> None:
    operators.add(db, "ada", "ada", [Role.TECHNICIAN], "hash")
    operators.add(db, "ada", "bob", [Role.DESK], "hash")
    operators.set_roles(db, "ada", "bob", [Role.DESK, Role.TECHNICIAN])
    operators.set_password(db, "ada", "bob", "hash")
    operators.set_state(db, "ada", "bob", State.DISABLED)
    operators.set_state(db, "ada", "bob", State.ACTIVE)
    names = ["add", "add", "set-roles", "set-password", "disable", "enable"]
    assert actions(db) == [f"operators.{name}" for name in names]


def test_the_audit_is_searched_by_each_field_and_page_by_page(db: Database) -> None:
    for number in range(5):
        audit.append(db, "ada" if number % 2 else "bob", "documents.add", f"d{number}")
    audit.append(db, "eve", "inbox.view", "", Outcome.REFUSED)

    def found(limit: int = 10, **fields: str | int) -> list[str]:
        return [row.object for row in audit.search(db, AuditFilter(**fields), limit)]  # type: ignore[arg-type]

    assert found(actor="ada") == ["d3", "d1"]
    assert found(action="documents") == ["d4", "d3", "d2", "d1", "d0"]
    assert found(object="d2") == ["d2"]
    assert found(outcome="refused", actor="eve", action="inbox") == [""]
    newest = audit.search(db, AuditFilter(action="documents."), 2)
    assert [row.object for row in newest] == ["d4", "d3"]
    assert found(2, action="documents.", before_id=newest[-1].id) == ["d2", "d1"]
    assert found(action="documents.add' OR 1 --") == []


def test_a_long_identifier_is_cut(db: Database) -> None:
    audit.append(db, "ada", "documents.view", "x" * 1000)
    assert len(audit.search(db, AuditFilter(), 1)[0].object) == audit.OBJECT_CHARS_MAX
