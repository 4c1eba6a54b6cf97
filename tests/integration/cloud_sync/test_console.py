"""The console in front of a real control plane: claim, login, forms, pages, and what strangers get."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
import sqlalchemy as sa

from cloud_sync.fleet.steering import DOCUMENT_BYTES_MAX
from cloud_sync.services import utc_now
from cloud_sync.store.schema import admins, audit
from cloud_sync.store.witnessed import LogRow, RefusalRow, add_log, keep_refusal
from core.webshell.accounts import ATTEMPTS_PER_ADDRESS, Visitor
from tests.integration.cloud_sync.conftest import Running, running
from tests.integration.cloud_sync.fleet_node import Link, enrol, row

NAME, PASSWORD = "ada", "a long enough secret"


class Browser:
    """A visitor with cookies who fills in forms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        async with self.http.get(self.url + path, headers=headers, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def csrf(self, path: str) -> str:
        _, page = await self.get(path)
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert found, f"{path} has a form without a token"
        return found[1]

    async def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> tuple[int, str]:
        url = self.url + path
        async with self.http.post(url, data=fields, headers=headers, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def submit(self, page: str, **fields: str) -> tuple[int, str]:
        return await self.post(page, csrf=await self.csrf(page), **fields)

    async def claim(self, code: str, name: str = NAME) -> int:
        status, _ = await self.submit(
            "claim", code=code, name=name, password=PASSWORD, password_again=PASSWORD
        )
        return status


@pytest.fixture
async def browser(cloud: Running) -> AsyncIterator[Browser]:
    visitor = Browser(cloud.ready.url)
    yield visitor
    await visitor.http.close()


@pytest.fixture
async def admin(cloud: Running, browser: Browser) -> Browser:
    assert cloud.claim_code
    assert await browser.claim(cloud.claim_code) == 303
    return browser


async def audited(cloud: Running) -> list[tuple[str, str, str]]:
    query = sa.select(audit.c.actor, audit.c.action, audit.c.subject).order_by(audit.c.id)
    return await cloud.control.database.run(lambda connection: [tuple(r) for r in connection.execute(query)])


async def test_the_first_admin_claims_with_the_printed_code(cloud: Running, browser: Browser) -> None:
    assert cloud.paths.claim_code.read_text(encoding="utf-8").strip() == cloud.claim_code
    assert cloud.paths.claim_code.stat().st_mode & 0o777 == 0o600
    assert (await browser.get(""))[0] == 303
    assert await browser.claim("0000-0000-0000-0000") == 401
    assert await browser.claim((cloud.claim_code or "").lower()) == 303
    assert (await browser.get(""))[0] == 200
    assert ("ada", "account.claimed", "ada") in await audited(cloud)


async def test_of_twenty_claims_at_once_one_wins(cloud: Running) -> None:
    """Against the service, because the limit of attempts from one address would stop the others at the door."""
    accounts = cloud.control.accounts
    outcomes = await asyncio.gather(
        *(
            accounts.claim(cloud.claim_code or "", f"admin{n}", PASSWORD, Visitor(f"192.0.2.{n}", b"browser"))
            for n in range(20)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    count = sa.select(sa.func.count()).select_from(admins)
    assert await cloud.control.database.run(lambda connection: connection.execute(count).scalar_one()) == 1


async def test_the_claim_code_is_new_at_each_start_until_claimed(cloud: Running) -> None:
    first = cloud.claim_code
    await cloud.stopped()
    async with running(cloud.paths) as again:
        assert again.claim_code
        assert again.claim_code != first
        visitor = Browser(again.ready.url)
        assert await visitor.claim(first or "") == 401
        assert await visitor.claim(again.claim_code) == 303
        await visitor.http.close()
        await again.stopped()
    async with running(cloud.paths) as last:
        assert last.claim_code is None
        assert not last.paths.claim_code.exists()


async def test_weak_passwords_and_odd_names_are_refused(cloud: Running, browser: Browser) -> None:
    code = cloud.claim_code or ""
    for name, password, again in [
        (NAME, "short", "short"),
        (NAME, PASSWORD, PASSWORD + "x"),
        ("<b>", PASSWORD, PASSWORD),
        ("margaret", "margaret margaret", "margaret margaret"),
    ]:
        fields = {"code": code, "name": name, "password": password, "password_again": again}
        status, page = await browser.submit("claim", **fields)
        assert status in (400, 403)
        assert "<b>" not in page
    assert await browser.claim(code) == 303


async def test_login_logout_and_login_again(admin: Browser, cloud: Running) -> None:
    token = await admin.csrf("codes")
    assert await admin.post("logout", csrf=token) == (303, "/login")
    assert (await admin.get(""))[0] == 303
    assert (await admin.submit("login", name=NAME, password="wrong password"))[0] == 401
    assert (await admin.submit("login", name="nobody", password=PASSWORD))[0] == 401
    assert await admin.submit("login", name=NAME, password=PASSWORD) == (303, "/")
    assert (await admin.get(""))[0] == 200
    actions = [action for _, action, _ in await audited(cloud)]
    assert actions == ["account.claimed", "login", "logout", "login.refused", "login.refused", "login"]


async def test_guessing_passwords_is_slowed_down(admin: Browser) -> None:
    await admin.post("logout", csrf=await admin.csrf("codes"))
    token = await admin.csrf("login")
    statuses = [
        (await admin.post("login", csrf=token, name=NAME, password="wrong password"))[0]
        for _ in range(ATTEMPTS_PER_ADDRESS + 1)
    ]
    assert statuses == [401] * ATTEMPTS_PER_ADDRESS + [429]
    assert (await admin.post("login", csrf=token, name=NAME, password=PASSWORD))[0] == 429


async def test_a_form_without_the_sessions_token_or_from_another_site_changes_nothing(
    admin: Browser, cloud: Running
) -> None:
    token = await admin.csrf("codes")
    stranger = Browser(admin.url)
    foreign_token = await stranger.csrf("login")
    await stranger.http.close()
    assert (await admin.post("codes", site="x"))[0] == 403
    assert (await admin.post("codes", site="x", csrf=foreign_token))[0] == 403
    assert (await admin.post("codes", {"Origin": "https://evil.example"}, site="x", csrf=token))[0] == 403
    assert await cloud.control.enrolment.codes() == ()
    assert (await admin.post("desired?group=default", etag="0", heartbeat_s="30"))[0] == 403
    assert (await cloud.control.steering.setting_of_group("default")).etag == "0"
    origin = admin.url.rstrip("/")
    assert (await admin.post("codes", {"Origin": origin}, site="x", csrf=token))[0] == 200
    assert len(await cloud.control.enrolment.codes()) == 1


async def test_the_largest_settings_are_saved_by_the_form_that_shows_them(
    admin: Browser, cloud: Running
) -> None:
    document = json.dumps({"policy": {"words": ["abc"] * 9_400}}, separators=(",", ":")).encode()
    assert 0.95 * DOCUMENT_BYTES_MAX < len(document) <= DOCUMENT_BYTES_MAX
    await cloud.control.steering.set_for_group("default", document, "grace")
    _, page = await admin.get("desired?group=default")
    tag = re.search(r'name="etag" value="([^"]*)"', page)
    shown = re.search(r'id="policy"[^>]*>\n([^<]*)<', page)
    assert tag
    assert shown
    policy = html.unescape(shown[1]).replace("\n", "\r\n")  # as a browser sends it
    assert (await admin.submit("desired?group=default", etag=tag[1], policy=policy))[0] == 303
    saved = await cloud.control.steering.setting_of_group("default")
    assert (saved.document, saved.etag == tag[1]) == (document, False)


async def test_strangers_see_the_login_and_nothing_else(admin: Browser, cloud: Running) -> None:
    node = await cloud.enrolled()
    stranger = Browser(admin.url)
    for path in ("", "codes", f"nodes/{node.id}", "desired?group=default", "nothing-here"):
        assert (await stranger.get(path))[0] == 303
    status, page = await stranger.get("fleet/rows", **{"HX-Request": "true"})
    assert (status, page) == (401, "")
    assert (await stranger.post(f"nodes/{node.id}/revoke", confirm=node.id))[0] == 403
    async with stranger.http.get(stranger.url + "login") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        # Else Chromium sends our own forms as coming from "null".
        assert answer.headers["Referrer-Policy"] == "same-origin"
        cookie = answer.cookies["postern-cloud-visit"]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
    await stranger.http.close()


async def test_a_code_from_the_page_enrols_a_node_that_the_pages_then_show(
    admin: Browser, cloud: Running
) -> None:
    status, page = await admin.submit("codes", site="St. Anna <clinic>")
    assert status == 200
    assert "St. Anna &lt;clinic&gt;" in page
    code = re.search(r"\b(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}\b", page)
    assert code
    node = await enrol(cloud.ready.enrolment, code[0])
    async with Link(node) as link:
        await link.open(1, 1)
        await link.batch([row(1)])
        for path in ("", "fleet/rows", f"nodes/{node.id}", f"nodes/{node.id}/live", "codes"):
            status, page = await admin.get(path)
            assert status == 200, path
            assert "St. Anna &lt;clinic&gt;" in page or path.endswith("live"), path
        assert (await admin.get("fleet/rows"))[1].lstrip().lower().startswith("<!doctype") is False
        token = await admin.csrf(f"nodes/{node.id}")
        assert (await admin.post(f"nodes/{node.id}/revoke", csrf=token, confirm="something"))[0] == 400
        answer = await admin.post(f"nodes/{node.id}/revoke", csrf=token, confirm=node.id)
        assert answer == (303, f"/nodes/{node.id}")
        assert await link.receive()  # goodbye
    assert ("ada", "node.revoked", node.id) in await audited(cloud)
    assert (await admin.get("nodes/node-unknown"))[0] == 404
    assert (await admin.submit("codes", site="x" * 200))[0] == 400


async def test_health_readiness_and_metrics_are_open(cloud: Running, browser: Browser) -> None:
    assert await browser.get("healthz") == (200, '{"alive": true}')
    assert await browser.get("readyz") == (200, '{"ready": true, "reasons": []}')
    await cloud.enrolled("Secret site")
    status, text = await browser.get("metrics")
    assert status == 200
    assert 'postern_cloud_nodes{state="new"} 1.0' in text
    assert "Secret site" not in text


async def test_static_files_are_kept_by_their_content(browser: Browser) -> None:
    _, page = await browser.get("login")
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert addresses
    for address in addresses:
        async with browser.http.get(browser.url.rstrip("/") + address) as answer:
            assert answer.status == 200, address
            assert "immutable" in answer.headers["Cache-Control"], address


async def test_a_nodes_page_shows_its_ledgers_and_what_was_refused(admin: Browser, cloud: Running) -> None:
    node, at = await cloud.enrolled(), utc_now()
    assert "as witnessed" not in (await admin.get(f"nodes/{node.id}"))[1]

    def write(connection: sa.Connection) -> None:
        add_log(connection, LogRow("postern-ledger/<one>", node.id, b"k", 12_345, b"r", at, at))
        refusal = RefusalRow(node.id, "postern-ledger/<one>", "split_view", 1, 1, b"note", at, at)
        keep_refusal(connection, refusal)
        keep_refusal(connection, refusal)

    await cloud.control.database.run(write)
    page = (await admin.get(f"nodes/{node.id}"))[1]
    for shown in ("as witnessed", "postern-ledger/&lt;one&gt;", "12,345", "split_view × 2"):
        assert shown in page
