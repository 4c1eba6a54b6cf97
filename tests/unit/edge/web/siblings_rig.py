"""Two nodes of one site over HTTP, with a scripted desk: what a page, or a bench, sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import ClientResponse, hdrs, web
from aiohttp.test_utils import TestClient, TestServer

from edge.chat.continuing import Continuing
from edge.chat.notice import notice_of
from edge.chat.session import Session, boot_s
from edge.chat.turn import Delta, Desk, Final, Meta
from edge.config import Config
from edge.egress.ledger.excerpt import Excerpt
from edge.egress.proofs.client import Unproven
from edge.egress.proofs.receipt import Receipts
from edge.keys.site_keys import public_pem
from edge.knowledge.document import Audience
from edge.web.audit_log import AuditLog
from edge.web.handoff_api import HandoffApi
from edge.web.kiosk_page import KioskPage
from edge.web.receipt_api import ReceiptApi
from edge.web.receipt_files import receipt_files
from edge.web.receipt_links import ReceiptLinks
from edge.web.server import customer_application
from edge.web.sessions_api import SessionsApi
from edge.web.siblings import SiblingsApi
from tests.unit.edge.chat.desk_rig import ANSWER, Rig, rig, scan_forms

KEY = b"k" * 32
NOTICE = notice_of("Clinic")
SIBLING = "https://desk-2.clinic.internal"
SESSIONS = "/api/v1/sessions"


@dataclass
class ScriptedDesk:
    """Answers with what the rig writes down; `go_on` unset, or past `answers_max`: waits in the middle of it."""

    rig: Rig
    answers_max: int = 1000
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def covered(self) -> tuple[str, ...]:
        return ("en",)

    async def turn(self, session: Session, text: str) -> AsyncGenerator[Meta | Delta | Final, None]:
        yield Meta("t", ("en",))
        self.answers_max -= 1
        if self.answers_max < 0:
            self.go_on.clear()
        await self.go_on.wait()
        yield Delta(ANSWER)
        yield Final({"turn_id": await self.rig.turn(session, text), "answer": ANSWER})


class NoLedger:
    """In the courier's place: away, until a test says what it found."""

    found: Excerpt | None = None

    async def proofs(self, envelopes: Iterable[str], since_ms: int) -> Excerpt:
        if self.found is None:
            raise Unproven("courier_away")
        return self.found


@dataclass
class Node:
    """One of two nodes, over HTTP."""

    rig: Rig
    desk: ScriptedDesk
    client: TestClient[Any, Any]
    audience: list[Audience]
    ledger: NoLedger

    async def begin(self, body: dict[str, object]) -> tuple[int, dict[str, Any]]:
        async with self.client.post(SESSIONS, json=body) as response:
            return response.status, await response.json()

    async def arrive(self, channel: str = "kiosk") -> dict[str, Any]:
        _, opened = await self.begin({"channel": channel})
        path, headers = f"{SESSIONS}/{opened['session_id']}/consent", bearer(opened)
        async with self.client.post(
            path, json={"notice_version": NOTICE.version}, headers=headers
        ) as response:
            assert response.status == 204
        return opened

    async def ask(self, opened: dict[str, Any]) -> dict[str, Any]:
        path = f"{SESSIONS}/{opened['session_id']}/turns"
        async with self.client.post(path, json={"text": "When?"}, headers=bearer(opened)) as response:
            assert response.status == 200
            return dict(await response.json())

    async def preflight(self, path: str, origin: str) -> ClientResponse:
        headers = {hdrs.ORIGIN: origin, "Access-Control-Request-Method": "POST"}
        async with self.client.options(path, headers=headers) as response:
            return response


def bearer(opened: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {opened['token']}"}


async def node_of(
    stack: AsyncExitStack,
    folder: Path,
    siblings: tuple[str, ...] = (SIBLING,),
    clock: Callable[[], float] = boot_s,
) -> Node:
    opened = await stack.enter_async_context(rig(folder))
    desk, audience = ScriptedDesk(opened), [Audience.PUBLIC]
    desk.go_on.set()

    async def audience_of(_: web.Request) -> Audience:
        return audience[0]

    known = Continuing(opened.store, opened.sessions, KEY, "clinic", NOTICE.version) if siblings else None
    api = SessionsApi(
        opened.store,
        opened.sessions,
        cast(Desk, desk),
        NOTICE,
        cast(Any, SimpleNamespace(scan=scan_forms)),
        audience_of,
        known,
    )
    page = KioskPage(
        Config.model_validate({"site": {"id": "s", "name": "Clinic"}, "siblings": {"urls": siblings}})
    )
    ledger = NoLedger()
    links = ReceiptLinks(opened.sessions, clock)
    receipts = ReceiptApi(Receipts(opened.store, ledger), opened.sessions, links)
    other = [*HandoffApi(opened.sessions, opened.handoffs).routes(), *receipts.routes(), *page.routes()]
    other += SiblingsApi("clinic", "print", NOTICE.version).routes()
    other += receipt_files(public_pem(opened.store.keys.receipts))
    application = customer_application([*api.routes(), *other], AuditLog(opened.store), siblings)
    client = await stack.enter_async_context(TestClient(TestServer(application)))
    return Node(opened, desk, client, audience, ledger)
