"""Operations write what their rule says, once; who acts is whom the kernel names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import PosternError
from core.local_user import this_user
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store
from edge.web import admin
from edge.web.admin import Arguments, OnProgress, RemoteFailure
from edge.web.audit_rules import OPERATIONS
from edge.web.audited import Audited
from edge.web.server import serve_admin

ME = this_user()


class LegalHold(PosternError):
    code = "legal_hold"
    status = 409


def told(error: PosternError) -> PosternError:
    """As an operation raises it that has written down how it ended."""
    error.written_down = True
    return error


async def found(store: Store) -> list[tuple[str, str, str, str]]:
    rows = await store.read(lambda db: audit.search(db, AuditFilter(), 1000))
    return [(row.actor, row.action, row.object, row.outcome) for row in reversed(rows)]


async def call(store: Store, name: str, arguments: Arguments, error: BaseException | None = None) -> object:
    async def operation(arguments: Arguments, on_progress: OnProgress) -> object:
        if error:
            raise error
        return "result"

    return await Audited(store).by(ME, name, operation)(arguments, lambda _: None)


@pytest.mark.parametrize(
    ("name", "arguments", "rows"),
    [
        ("status", {}, []),
        ("kb.show", {"document": "fees.md"}, [("kb.show", "fees.md", "done")]),
        ("kb.add", {"paths": ["/a", "/b"]}, [("kb.add", "/a /b", "begun"), ("kb.add", "/a /b", "done")]),
        ("kb.remove", {"document": "fees.md"}, [("kb.remove", "fees.md", "begun"), ("kb.remove", "fees.md", "done")]),
        ("kb.search", {"text": "what a customer asked"}, [("kb.search", "", "done")]),
        ("inbox.show", {"ticket": "T-7"}, []),
        ("new.thing", {"text": "words"}, [("new.thing", "", "begun"), ("new.thing", "", "done")]),
    ],
)  # fmt: skip
async def test_an_operation_writes_what_its_rule_says(
    store: Store, name: str, arguments: Arguments, rows: list[tuple[str, str, str]]
) -> None:
    assert await call(store, name, arguments) == "result"
    assert await found(store) == [(ME, *row) for row in rows]


@pytest.mark.proves("audit")
@pytest.mark.parametrize(
    ("name", "error", "rows"),
    [
        ("status", PosternError(), []),
        ("kb.show", PosternError(), [("kb.show", "", "failed")]),
        ("kb.set", RuntimeError(), [("kb.set", "", "begun"), ("kb.set", "", "failed")]),
        ("inbox.show", PosternError(), [("inbox.show", "", "failed")]),
        ("inbox.close", LegalHold(), [("inbox.close", "", "refused")]),
        ("status", LegalHold(), [("status", "", "refused")]),
        ("privacy.erase", LegalHold(), [("privacy.erase", "", "refused")]),
        ("privacy.erase", told(LegalHold()), []),
        ("kb.show", told(PosternError()), []),
    ],
)
async def test_what_fails_or_is_refused_is_written_down_once(
    store: Store, name: str, error: Exception, rows: list[tuple[str, str, str]]
) -> None:
    with pytest.raises(type(error)):
        await call(store, name, {}, error)
    assert await found(store) == [(ME, *row) for row in rows]


@pytest.mark.proves("audit")
@pytest.mark.parametrize(
    "name", [rule.name for rule in OPERATIONS if rule.name.startswith(("privacy.", "audit."))]
)
async def test_a_person_is_never_named_by_what_was_typed(store: Store, name: str) -> None:
    with pytest.raises(PosternError):
        await call(store, name, {"subject": "T-7"}, PosternError())
    typed = {"T-7", store.digests.label("T-7")}
    assert not [row for row in await found(store) if typed & set(row)]


async def test_who_acts_cannot_be_said_by_the_command(store: Store) -> None:
    seen: list[Arguments] = []

    async def operation(arguments: Arguments, on_progress: OnProgress) -> object:
        seen.append(arguments)
        return None

    for arguments in ({"actor": "eve", "name": "bob"}, {"name": "bob"}):
        await Audited(store).by(ME, "operators.add", operation)(arguments, lambda _: None)
    assert seen == [{"actor": ME, "name": "bob"}, {"name": "bob"}]


@pytest.mark.parametrize(("operator", "rows"), [("bob", 1), (ME.removeprefix("terminal:"), 0)])
async def test_whoever_acts_under_another_name_is_written_down_beside_it(
    store: Store, operator: str, rows: int
) -> None:
    await call(store, "inbox.reply", {"ticket": "T-7", "operator": operator, "text": "words"})
    assert await found(store) == [(ME, "inbox.reply", "T-7", "done")] * rows


@pytest.mark.proves("audit")
async def test_nothing_is_shown_when_its_row_cannot_be_written(store: Store) -> None:
    await store.write(lambda db: db.execute("DROP TABLE audit"))
    with pytest.raises(Exception, match="no such table"):
        await call(store, "kb.list", {})


async def test_over_the_socket_the_kernel_says_who_acts(store: Store, tmp_path: Path) -> None:
    async def refused(arguments: Arguments, on_progress: OnProgress) -> object:
        raise LegalHold

    socket = tmp_path / "run" / "admin.sock"
    runner = await serve_admin({"kb.remove": refused}, Audited(store), socket)
    try:
        with pytest.raises(RemoteFailure):
            await admin.call(
                socket, "kb.remove", {"document": "fees.md", "actor": "somebody else"}, lambda _: None
            )
    finally:
        await runner.cleanup()
    assert await found(store) == [
        (ME, "kb.remove", "fees.md", "begun"),
        (ME, "kb.remove", "fees.md", "refused"),
    ]


@pytest.mark.proves("access")
async def test_another_user_at_the_socket_is_written_down(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket, stranger = tmp_path / "run" / "admin.sock", 4_000_000_000
    runner = await serve_admin({}, Audited(store), socket)
    monkeypatch.setattr(admin, "peer", lambda _: (os.getpid(), stranger))
    try:
        with pytest.raises(RemoteFailure):
            await admin.call(socket, "status", {}, lambda _: None)
    finally:
        await runner.cleanup()
    ((who, *what),) = await found(store)
    assert (str(stranger) in who, what) == (True, ["admin.connect", "", "refused"])
