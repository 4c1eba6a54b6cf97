"""The site console behind a real server and store, without models: what the node serves at /console/, in-process."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp import web
from sqlite_utils import Database

from edge.chat.bell import Bell
from edge.chat.inbox import Inbox
from edge.chat.notice import notice_of
from edge.chat.session import Sessions
from edge.config import Config, SitePaths, load_config, site_paths
from edge.console import console_accounts, open_console
from edge.operations.api_keys import ApiKeyOperations
from edge.operations.audit import AuditOperations
from edge.operations.backup import BackupOperations
from edge.operations.erasure import ErasureOperations
from edge.operations.inbox import InboxOperations
from edge.operations.keeping import KeepingOperations
from edge.operations.keys import KeysOperations
from edge.operations.people import PeopleOperations
from edge.operations.report import ReportOperations
from edge.privacy.backup.backups import Backups
from edge.privacy.erasure import Beside, Erasure
from edge.privacy.people import People
from edge.report_facts import gather
from edge.site_setup import create_site
from edge.store import audit, operators
from edge.store.audit import AuditFilter
from edge.store.operators import Role
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation
from edge.web.audit_log import AuditLog
from edge.web.console.door import ConsoleDoor
from edge.web.key_ring import KeyRing
from edge.web.kiosk_page import SHELL
from edge.web.server import customer_application, serve_customers
from tests.unit.edge.egress.text.guard_rig import policy_operations
from tests.unit.edge.privacy.report.rig import sources_of

PASSWORD = "a long enough secret"
STATUS: dict[str, Any] = {
    "version": "0.1.0", "uptime_s": 90, "sessions": 1, "answer_mode": "extractive", "generated": {},
    "knowledge": {"documents": 27, "chunks": 143}, "outbox": {"rows": 3, "newest_sequence": 9},
    "encoder": {"model": "all-minilm-l6-v2", "version": "0.1.0", "runtime": "onnxruntime", "device": "CPU"},
    "fallbacks": (), "queue": {"waiting": 0, "batches": 1, "rows": 1, "predicted_wait_s": 0.0},
    "sync": {"connected": True, "enrolled": True, "since": 0.0, "last_error": "", "outbox_oldest_s": 1},
    "devices": [{"id": "lobby", "state": "online", "last_seen": "2026-03-02T09:30:00+00:00"}],
}  # fmt: skip


class Staff:
    """One of the staff at a browser: cookies, forms with their token."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/console"
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text(errors="replace")

    async def csrf(self, path: str = "/login") -> str:
        _, page = await self.get(path)
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert found, f"{path} has a form without a token"
        return found[1]

    async def post(
        self, path: str, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        data = aiohttp.FormData()
        for name, value in fields.items():
            for one in value if isinstance(value, list) else [value]:
                data.add_field(name, one)
        url = self.url + path
        async with self.http.post(url, data=data, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def submit(self, page: str, path: str, **fields: Any) -> tuple[int, str]:
        return await self.post(path, {"csrf": await self.csrf(page), **fields})

    async def claim(self, code: str, name: str = "ada") -> tuple[int, str]:
        fields = {"code": code, "name": name, "password": PASSWORD, "password_again": PASSWORD}
        return await self.submit("/login", "/claim", **fields)

    async def log_in(self, name: str, password: str = PASSWORD) -> tuple[int, str]:
        return await self.submit("/login", "/login", name=name, password=password)

    async def break_glass(self, first: str, second: str) -> tuple[int, str]:
        return await self.submit("/break-glass", "/break-glass", envelope_1=first, envelope_2=second)


@dataclass
class Rig:
    """A served console; its store for looking behind it."""

    url: str
    store: Store
    paths: SitePaths
    claim_code: str
    accounts: Any
    door: ConsoleDoor
    status: dict[str, Any]
    operations: dict[str, Operation]
    """By name; a test may put others in their place."""
    visitors: list[Staff]

    def visitor(self) -> Staff:
        staff = Staff(self.url)
        self.visitors.append(staff)
        return staff

    async def operator(self, name: str, *roles: Role) -> Staff:
        """Somebody with these roles, logged in."""
        hashed = await self.accounts.new_password(name, PASSWORD)
        await self.store.write(lambda db: operators.add(db, "test", name, roles, hashed))
        staff = self.visitor()
        assert (await staff.log_in(name))[0] == 303
        return staff

    async def sealed(self) -> tuple[str, str]:
        """What is in the two envelopes of a newly sealed break-glass account."""
        seal = await self.accounts.new_seal()
        await self.store.write(lambda db: operators.seal_break_glass(db, "terminal:root", seal.hashes))
        return seal.envelopes

    async def audited(self, **fields: Any) -> list[tuple[str, str, str, str]]:
        """(actor, action, object, outcome), oldest first."""

        def read(db: Database) -> list[tuple[str, str, str, str]]:
            rows = audit.search(db, AuditFilter(**fields), 1000)
            return [(row.actor, row.action, row.object, row.outcome) for row in reversed(rows)]

        return await self.store.read(read)


@asynccontextmanager
async def console_rig(
    folder: Path, settings: str = "", more: Mapping[str, Operation] | None = None, *, port: int = 0
) -> AsyncIterator[Rig]:
    """Serve the console of a new site on a free port. `settings` is added to its site.toml."""
    paths = site_paths(folder / "site")
    create_site(paths, "empty", http_port=0)
    paths.config.write_text(paths.config.read_text() + settings)
    config, store, status = load_config(paths), Store.open(paths), dict(STATUS)

    async def read_status(arguments: Arguments, on_progress: OnProgress) -> object:
        return status

    site = cast(Any, SimpleNamespace(config=config, paths=paths, store=store))
    accounts, door = console_accounts(site), ConsoleDoor()
    code = await accounts.issue_claim()
    assert code is not None
    runner, url = await serve_customers(
        customer_application([web.static("/static/core", SHELL / "static"), *door.routes()], AuditLog(store)),
        _at(config, port).http,
    )
    inbox = Inbox(store, config.handoff, Bell(10, time.monotonic), lambda session: True)
    keys = ApiKeyOperations(KeyRing(store), notice_of(config.site.name))
    erasure = Erasure(store, config.site.name, Sessions(store, config.limits), Beside())
    operations: dict[str, Operation] = {
        "status": read_status,
        **InboxOperations(inbox).table(),
        **keys.table(),
        **AuditOperations(store, config.site.id, "node", config.retention.audit_days).table(),
        **policy_operations(paths, store).table(),
        **PeopleOperations(People(store, config.site.name)).table(),
        **KeepingOperations(store, config.retention).table(),
        **ErasureOperations(erasure, store).table(),
        **KeysOperations(config, paths, store).table(),
        **BackupOperations(Backups(store, paths)).table(),
        **ReportOperations(lambda: gather(sources_of(paths, store))).table(),
        **(more or {}),
    }
    door.open(open_console(site, accounts, operations, list))
    rig = Rig(url, store, paths, code, accounts, door, status, operations, [])
    try:
        yield rig
    finally:
        for visitor in rig.visitors:
            await visitor.http.close()
        await runner.cleanup()
        await store.close()


def _at(config: Config, port: int) -> Config:
    return config.model_copy(update={"http": config.http.model_copy(update={"port": port})})
