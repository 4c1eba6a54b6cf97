"""Admins who do not get in at the control plane, and their cookies in wrong hands; each with its row of audit."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import sqlalchemy as sa

from cloud_sync.config import CloudPaths
from cloud_sync.folder import create_folder
from cloud_sync.services import utc_now
from cloud_sync.store.schema import admins, web_sessions
from core.webshell.accounts import ClaimRefused, Visitor
from tests.integration.cloud_sync.audit_rows import one_more
from tests.integration.cloud_sync.conftest import Running, running, use_free_ports

pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "a long enough secret"
VISITOR = Visitor("192.0.2.1", b"browser")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    paths = CloudPaths(tmp_path_factory.mktemp("admins") / "cloud")
    create_folder(paths, "Test fleet", "", utc_now())
    use_free_ports(paths)
    async with running(paths) as served:
        yield served


class Browser:
    """An admin's browser, or a thief's."""

    def __init__(self, plane: Running, **headers: str) -> None:
        self.url = plane.ready.url.rstrip("/")
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=headers)

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def get(self, path: str, cookie: str = "") -> tuple[int, str]:
        sent = {"Cookie": f"postern-cloud={cookie}"} if cookie else {}
        async with self.http.get(self.url + path, headers=sent, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "") or await answer.text()

    async def submit(self, path: str, **fields: str) -> int:
        _, page = await self.get(path)
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert csrf
        data = {"csrf": csrf[1], **fields}
        async with self.http.post(self.url + path, data=data, allow_redirects=False) as answer:
            return answer.status

    @property
    def cookie(self) -> str:
        return next(item.value for item in self.http.cookie_jar if item.key == "postern-cloud")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def admin(plane: Running) -> AsyncIterator[Browser]:
    async with Browser(plane) as browser:
        fields = {"name": "ada", "password": PASSWORD, "password_again": PASSWORD}
        assert await browser.submit("/claim", code=plane.claim_code or "", **fields) == 303
        yield browser


async def test_a_claim_code_is_spent_once(plane: Running, admin: Browser) -> None:
    async def attempt() -> None:
        with pytest.raises(ClaimRefused):
            await plane.control.accounts.claim(plane.claim_code or "", "eve", PASSWORD, VISITOR)

    await one_more(plane.control, ("unknown", "claim.refused", "unknown", ""), attempt)
    count = sa.select(sa.func.count()).select_from(admins)
    assert await plane.control.database.run(lambda db: db.execute(count).scalar_one()) == 1


@pytest.mark.parametrize(("name", "actor"), [("ada", "ada"), ("eve", "unknown")])
async def test_a_wrong_password(plane: Running, admin: Browser, name: str, actor: str) -> None:
    async def attempt() -> None:
        async with Browser(plane) as guest:
            assert await guest.submit("/login", name=name, password="guessed it maybe") == 401

    await one_more(plane.control, (actor, "login.refused", actor, ""), attempt)


@pytest.mark.proves("access")
async def test_a_forged_cookie(plane: Running, admin: Browser) -> None:
    async def attempt() -> None:
        async with Browser(plane) as guest:
            assert await guest.get("/", "x" * 43) == (303, "/login")

    await one_more(plane.control, ("unknown", "login.cookie", "unknown", ""), attempt)


async def logged_in(plane: Running) -> Browser:
    browser = Browser(plane)
    assert await browser.submit("/login", name="ada", password=PASSWORD) == 303
    assert (await browser.get("/"))[0] == 200
    return browser


@pytest.mark.proves("access")
async def test_a_cookie_that_was_carried_to_another_browser(plane: Running, admin: Browser) -> None:
    victim = await logged_in(plane)

    async def attempt() -> None:
        async with Browser(plane, **{"User-Agent": "a thief's"}) as thief:
            assert await thief.get("/", victim.cookie) == (303, "/login")

    await one_more(plane.control, ("ada", "login.elsewhere", "ada", ""), attempt)
    assert await victim.get("/") == (303, "/login")  # the login has ended for both
    await victim.http.close()


async def test_a_cookie_after_its_time_and_after_logging_out(plane: Running, admin: Browser) -> None:
    victim = await logged_in(plane)
    what = ("unknown", "login.cookie", "unknown", "")

    async def attempt() -> None:
        assert await victim.get("/", victim.cookie) == (303, "/login")

    aged = web_sessions.update().values(expires_at=utc_now())
    await plane.control.database.run(lambda db: db.execute(aged))
    await one_more(plane.control, what, attempt)
    async with await logged_in(plane) as again:
        cookie = again.cookie
        _, page = await again.get("/")
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)
        assert csrf
        data: dict[str, Any] = {"csrf": csrf[1]}
        async with again.http.post(f"{again.url}/logout", data=data, allow_redirects=False) as answer:
            assert answer.status == 303
        await one_more(plane.control, what, lambda: gone(again, cookie))
    await victim.http.close()


async def gone(browser: Browser, cookie: str) -> None:
    assert await browser.get("/", cookie) == (303, "/login")


FORMS = ["without a token", "with another session's token", "of another site", "of nobody"]


@pytest.mark.parametrize("form", FORMS)
async def test_a_form(plane: Running, admin: Browser, form: str) -> None:
    async with await logged_in(plane) as ada, Browser(plane) as stranger:
        own, another = await token_on(ada, "/codes"), await token_on(stranger, "/login")
        sender, token = ada, {FORMS[0]: "", FORMS[1]: another}.get(form, own)
        headers = {"Origin": "https://evil.example"} if form == FORMS[2] else {}
        if form == FORMS[3]:
            sender, token = stranger, another

        async def attempt() -> None:
            url, data = f"{sender.url}/codes", {"csrf": token}
            async with sender.http.post(url, data=data, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 403

        actor = "unknown" if sender is stranger else "ada"
        await one_more(plane.control, (actor, "form.refused", actor, ""), attempt)


async def token_on(browser: Browser, path: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', (await browser.get(path))[1])
    assert found
    return found[1]
