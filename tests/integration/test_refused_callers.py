"""Programs, customers and users of the machine who are not let in at the node, each with its row of audit.

The node's own routes, ring of keys and sockets on a real store, in this process and without models.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from sqlite_utils import Database

from core.errors import PosternError
from core.webshell.accounts import Accounts, Visitor
from edge.chat.notice import notice_of
from edge.chat.session import Channel, Sessions
from edge.config import site_paths
from edge.config.limits import LimitsSection
from edge.inference import worker
from edge.operations.operators import OperatorOperations
from edge.store import audit, operators
from edge.store.allowance import USUAL
from edge.store.api_keys import Scope
from edge.store.audit import AuditFilter
from edge.store.operators import Role, State
from edge.store.store import Store
from edge.web.audit_log import AuditLog
from edge.web.audited import Audited
from edge.web.console.accounts import OperatorAccounts
from edge.web.console.door import ConsoleDoor
from edge.web.console.site import SiteConsole
from edge.web.key_ring import KeyRing, Use
from edge.web.problems import problem_response
from edge.web.program_requests import opened_by
from edge.web.server import customer_application, serve_admin
from edge.web.sessions_api import SessionsApi
from tests import other_user
from tests.contract.courier_process import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

IDLE = timedelta(minutes=15)
Row = tuple[str, str, str]
"""Actor, action, object, of a refusal."""


@dataclass
class Node:
    """What answers callers, and a look at its rows."""

    client: TestClient[Any, Any]
    store: Store
    keys: KeyRing
    sessions: Sessions
    accounts: Accounts
    now_s: float = 1000.0

    async def rows(self) -> Counter[Row]:
        def read(db: Database) -> Counter[Row]:
            counted = Counter[Row]()
            for row in audit.search(db, AuditFilter(outcome="refused"), 1000):
                counted[row.actor, row.action, row.object] += row.count
            return counted

        return await self.store.read(read)

    async def refused(
        self, what: Row, path: str, headers: dict[str, str], status: int, body: object = None
    ) -> None:
        """This request, and one more row."""
        before = (await self.rows())[what]
        async with self.client.post(path, headers=headers, json=body or {}) as response:
            assert response.status == status
        assert (await self.rows())[what] == before + 1

    async def conversation(self) -> tuple[str, str]:
        """A new one: identifier and token."""
        new = await self.sessions.create(Channel.KIOSK, "en", None, address="::1")
        return new.session.id, new.token


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Node]:
    store = Store.open(site_paths(tmp_path_factory.mktemp("callers")))
    clock: list[Node] = []
    sessions = Sessions(store, LimitsSection(), clock=lambda: clock[0].now_s)
    keys = KeyRing(store)

    async def work(_: web.Request, use: Use) -> web.StreamResponse:
        return web.Response()

    accounts = Accounts(OperatorAccounts(store, IDLE), lambda: datetime.now(UTC))
    door = ConsoleDoor()
    door.open(SiteConsole(cast(Any, None), accounts, store, {}))
    notice, nothing = notice_of("A clinic"), cast(Any, None)
    desk = cast(Any, SimpleNamespace(covered=lambda: ()))
    api = SessionsApi(store, sessions, desk, notice, nothing, door.audience_of)
    programs = [
        web.post(path, opened_by(keys, scope, problem_response, work))
        for path, scope in {
            "/v1/embeddings": Scope.EMBEDDINGS,
            "/v1/chat/completions": Scope.CHAT,
            "/api/v1/privacy/scan": Scope.PRIVACY,
        }.items()
    ]
    application = customer_application([*api.routes(), *programs], AuditLog(store))
    async with TestClient(TestServer(application)) as client:
        clock.append(Node(client, store, keys, sessions, accounts))
        yield clock[0]
    await store.close()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# --- programs ---


@pytest.mark.parametrize(
    "headers",
    [{}, bearer(""), bearer("pstn_" + "x" * 43), bearer("' OR 1 --"), {"Authorization": "Basic cHN0bjp4"}],
    ids=["no key", "an empty key", "a forged key", "no key at all", "another scheme"],
)
@pytest.mark.proves("access")
async def test_a_key_that_is_none(node: Node, headers: dict[str, str]) -> None:
    await node.refused(("unknown", "embeddings.make", "invalid_api_key"), "/v1/embeddings", headers, 401)


@pytest.mark.proves("access")
async def test_a_key_that_was_revoked(node: Node) -> None:
    _, secret = await node.keys.new("ada", "old till", [Scope.EMBEDDINGS], USUAL, None)
    async with node.client.post("/v1/embeddings", headers=bearer(secret)) as response:
        assert response.status == 200
    await node.keys.revoke("ada", "old till")
    await node.refused(
        ("unknown", "embeddings.make", "invalid_api_key"), "/v1/embeddings", bearer(secret), 401
    )


@pytest.mark.proves("access")
@pytest.mark.parametrize(
    ("path", "action"), [("/v1/chat/completions", "chat.ask"), ("/api/v1/privacy/scan", "privacy.scan")]
)
async def test_a_key_for_something_else(node: Node, path: str, action: str) -> None:
    key, secret = await node.keys.new("ada", f"search {action}", [Scope.EMBEDDINGS], USUAL, None)
    await node.refused((key.actor, action, "scope_missing"), path, bearer(secret), 403)


# --- programs that act for an operator ---


async def token_of(node: Node, name: str) -> str:
    """What `postern operators token` prints for a new operator of that name."""
    await node.store.write(lambda db: operators.add(db, "test", name, [Role.DESK], None))
    table = OperatorOperations(node.store, lambda: node.accounts)
    made: Any = await table.token({"name": name}, lambda _: None)
    return str(made["token"])


async def made_up(node: Node) -> str:
    return "x" * 43


async def past_its_time(node: Node) -> str:
    token = await token_of(node, "late")
    await node.store.write(lambda db: db.execute("UPDATE operator_sessions SET expires_ms = 1"))
    return token


async def of_a_disabled_operator(node: Node) -> str:
    token = await token_of(node, "gone")
    await node.store.write(lambda db: operators.add(db, "test", "technician", [Role.TECHNICIAN], None))
    await node.store.write(lambda db: operators.set_state(db, "test", "gone", State.DISABLED))
    return token


async def a_browsers_cookie(node: Node) -> str:
    await token_of(node, "eve")
    return await node.accounts.admit("eve", Visitor("10.0.0.7", b"browser"))


@pytest.mark.parametrize(
    "make",
    [made_up, past_its_time, of_a_disabled_operator, a_browsers_cookie],
    ids=lambda make: make.__name__,
)
async def test_an_operators_token(node: Node, make: Callable[[Node], Awaitable[str]]) -> None:
    what, wanted = ("customer", "sessions.begin", "operator_unknown"), {"channel": "intranet"}
    await node.refused(what, "/api/v1/sessions", bearer(await make(node)), 401, wanted)


async def test_an_operators_token_that_works_is_a_row_of_its_own(node: Node) -> None:
    token = await token_of(node, "bob")
    wanted = {"channel": "intranet"}
    async with node.client.post("/api/v1/sessions", headers=bearer(token), json=wanted) as response:
        assert response.status == 201
    found = await node.store.read(lambda db: audit.search(db, AuditFilter(action="sessions.staff"), 9))
    assert [(row.actor, row.outcome) for row in found] == [("bob", "done")]


# --- customers ---


async def forged(node: Node) -> tuple[str, str]:
    return (await node.conversation())[0], "x" * 43


async def anothers(node: Node) -> tuple[str, str]:
    return (await node.conversation())[0], (await node.conversation())[1]


async def expired(node: Node) -> tuple[str, str]:
    found = await node.conversation()
    node.now_s += LimitsSection().session_s
    return found


async def ended(node: Node) -> tuple[str, str]:
    found = await node.conversation()
    await node.sessions.wipe(found[0])
    return found


async def of_a_key(node: Node) -> tuple[str, str]:
    _, secret = await node.keys.new("ada", "a program", [Scope.CHAT], USUAL, None)
    return (await node.conversation())[0], secret


TOKENS: dict[str, Callable[[Node], Awaitable[tuple[str, str]]]] = {
    "forged": forged,
    "of another conversation": anothers,
    "expired": expired,
    "of a conversation that has ended": ended,
    "a program's key": of_a_key,
}


@pytest.mark.parametrize("case", TOKENS)
@pytest.mark.proves("access")
async def test_a_conversations_token(node: Node, case: str) -> None:
    session, token = await TOKENS[case](node)
    path = f"/api/v1/sessions/{session}/turns"
    await node.refused(("customer", "turns.ask", "session_not_found"), path, bearer(token), 401)


async def test_no_token_and_no_such_conversation(node: Node) -> None:
    session, token = await node.conversation()
    for path, headers in ((session, {}), ("made-up", bearer(token))):
        url = f"/api/v1/sessions/{path}/alive"
        await node.refused(("customer", "sessions.alive", "session_not_found"), url, headers, 401)


# --- users of the machine ---


@pytest.fixture
def reachable() -> Iterator[Path]:
    with other_user.reachable_folder() as folder:
        yield folder


ADMIN = "POST /operations/status HTTP/1.1\r\nHost: node\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.proves("access")
@other_user.needs_root
async def test_another_user_at_the_admin_socket(node: Node, reachable: Path) -> None:
    async def status(arguments: object, on_progress: object) -> object:
        pytest.fail("somebody came in")

    path = reachable / "run" / "admin.sock"
    runner = await serve_admin({"status": status}, Audited(node.store), path)
    assert (await other_user.speaks(path, ADMIN))[0] == other_user.CLOSED
    other_user.open_to_all(path)
    _, answer = await other_user.speaks(path, ADMIN)
    await runner.cleanup()
    assert "403" in answer.splitlines()[0]
    found = {what[0]: times for what, times in (await node.rows()).items() if what[1] == "admin.connect"}
    assert list(found.values()) == [1]
    assert all(actor.startswith("terminal:") for actor in found)


@other_user.needs_root
async def test_another_user_at_the_workers_socket(reachable: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The worker has no store, and no way to the node's but what the node asks it: its log is what is left."""
    path, stop = reachable / "run" / "worker.sock", asyncio.Event()
    path.parent.mkdir(mode=0o700)

    def no_model() -> Any:
        raise PosternError

    serving = asyncio.create_task(worker.serve(path, no_model, stop))
    await until(path.exists)
    assert (await other_user.speaks(path, "x"))[0] == other_user.CLOSED
    other_user.open_to_all(path)
    with caplog.at_level(logging.WARNING):
        assert (await other_user.speaks(path, "x"))[1] == ""
        await until(lambda: "connection refused" in caplog.text)
    stop.set()
    await serving
