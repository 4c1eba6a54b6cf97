"""What a page of another node may ask here, and how a conversation of another node goes on over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import hdrs

from edge.config.siblings import SIBLINGS_MAX, SiblingsSection
from edge.knowledge.document import Audience
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.web import event_stream
from tests.unit.edge.chat.desk_rig import ANSWER
from tests.unit.edge.web.siblings_rig import NOTICE, SESSIONS, SIBLING, Node, bearer, node_of


@pytest_asyncio.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Node, Node]]:
    async with AsyncExitStack() as stack:
        yield await node_of(stack, tmp_path / "one"), await node_of(stack, tmp_path / "other")


async def test_a_conversation_goes_on_at_the_other_node(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    answered = await one.ask(await one.arrive())
    status, moved = await other.begin({"continuation": answered["continuation"]})
    assert (status, moved["consented"], moved["notice"]["version"]) == (201, True, NOTICE.version)
    assert moved["continuation"] != answered["continuation"]
    path = f"{SESSIONS}/{moved['session_id']}/turns/{answered['turn_id']}/handoff"
    async with other.client.post(path, headers=bearer(moved)) as response:
        assert response.status == 201
    assert (await other.ask(moved))["answer"] == ANSWER


async def test_the_stream_ends_with_the_token_too(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    opened = await one.arrive()
    path, headers = f"{SESSIONS}/{opened['session_id']}/turns", {"Accept": "text/event-stream"}
    async with one.client.post(
        path, json={"text": "When?"}, headers={**bearer(opened), **headers}
    ) as response:
        assert '"continuation":"v1.' in (await response.text()).split("event: final")[1]


async def test_a_node_that_answers_is_heard_of(
    nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = nodes
    monkeypatch.setattr(event_stream, "BEAT_S", 0.001)
    opened = await one.arrive()
    one.desk.go_on.clear()
    path, headers = f"{SESSIONS}/{opened['session_id']}/turns", {"Accept": "text/event-stream"}
    async with one.client.post(
        path, json={"text": "When?"}, headers={**bearer(opened), **headers}
    ) as response:
        await response.content.readuntil(b"\n:\n\n:\n\n")
        one.desk.go_on.set()
        rest = await response.content.read()
    assert b"event: final" in rest


@pytest.mark.proves("access")
@pytest.mark.parametrize("token", ["", "v1.AAAA", "v1." + "A" * 40_000])
async def test_what_is_forged_is_refused_and_written_down(nodes: tuple[Node, Node], token: str) -> None:
    one, _ = nodes
    status, problem = await one.begin({"continuation": token})
    assert (status, problem["code"]) == (401, "continuation_refused")
    rows = await one.rig.store.read(lambda db: audit.search(db, AuditFilter(action="sessions.begin"), 5))
    assert [(row.actor, row.object) for row in rows] == [("customer", "continuation_refused")]


@pytest.mark.proves("access")
async def test_staff_go_on_for_staff_only(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    one.audience[0] = Audience.STAFF
    token = (await one.ask(await one.arrive("intranet")))["continuation"]
    status, problem = await other.begin({"continuation": token})
    assert (status, problem["code"]) == (403, "staff_login_needed")
    other.audience[0] = Audience.STAFF
    assert (await other.begin({"continuation": token}))[0] == 201


async def test_without_siblings_there_are_no_tokens(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        alone = await node_of(stack, tmp_path, siblings=())
        assert "continuation" not in await alone.ask(await alone.arrive())
        assert (await alone.begin({"continuation": "v1.AAAA"}))[0] == 401
        assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in (await alone.preflight(SESSIONS, SIBLING)).headers


@pytest.mark.proves("access")
async def test_pages_of_siblings_may_use_the_session_routes_and_nothing_else(
    nodes: tuple[Node, Node],
) -> None:
    one, _ = nodes
    allowed = await one.preflight(f"{SESSIONS}/x/turns", SIBLING)
    assert allowed.status == 204
    assert allowed.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] == SIBLING
    assert hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS not in allowed.headers
    for path, origin in [
        (SESSIONS, "https://elsewhere.example"), (SESSIONS, "null"), (SESSIONS, f"{SIBLING}.example"),
        ("/api/v1/sessionsx", SIBLING), ("/api/v1/siblings", SIBLING), ("/console/", SIBLING), ("/", SIBLING),
    ]:  # fmt: skip
        refused = await one.preflight(path, origin)
        assert refused.status != 204, path
        assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in refused.headers, path
    async with one.client.post(SESSIONS, json={}, headers={hdrs.ORIGIN: SIBLING}) as response:
        assert response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] == SIBLING
    async with one.client.post(f"{SESSIONS}/x/turns", json={}, headers={hdrs.ORIGIN: SIBLING}) as response:
        assert (response.status, response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN]) == (401, SIBLING)


async def test_the_page_may_ask_the_siblings_and_nobody_else(nodes: tuple[Node, Node]) -> None:
    async with nodes[0].client.get("/") as response:
        assert f"connect-src 'self' {SIBLING};" in response.headers["Content-Security-Policy"]
        assert f'"siblings": ["{SIBLING}"]' in await response.text()
    async with nodes[0].client.get("/api/v1/siblings") as response:
        assert await response.json() == {"site": "clinic", "key": "print", "notice": NOTICE.version}
        assert "connect-src 'self';" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Desk-2.Clinic.internal:443/", SIBLING),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("https://[fd00::2]:8443", "https://[fd00::2]:8443"),
    ],
)
def test_an_address_is_kept_as_browsers_write_it(url: str, origin: str) -> None:
    assert SiblingsSection(urls=(url,)).urls == (origin,)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.7", "https://8.8.8.8", "ftp://10.0.0.7", "https://", "https://ada@10.0.0.7", "10.0.0.7",
        "https://10.0.0.7/desk", "https://10.0.0.7?x", "https://10.0.0.7; script-src *", "https://a b",
        "https://10.0.0.7#x", "https://10.0.0.7:99999",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"sibling|network|Port|port"):
        SiblingsSection(urls=(url,))


@pytest.mark.parametrize("count", [SIBLINGS_MAX, SIBLINGS_MAX + 1])
def test_a_site_has_a_few_nodes(count: int) -> None:
    urls = tuple(f"https://10.0.0.{number}" for number in range(count))
    if count > SIBLINGS_MAX:
        with pytest.raises(ValueError, match="at most"):
            SiblingsSection(urls=urls)
    else:
        assert len(SiblingsSection(urls=urls).urls) == count


@pytest.mark.proves("access")
@pytest.mark.parametrize("where", ["cross-site", "same-site"])
async def test_a_page_of_another_site_sends_nothing_here(nodes: tuple[Node, Node], where: str) -> None:
    """A browser lets any page send what looks like a form, and only keeps the answer from it."""
    one, _ = nodes
    headers = {"Sec-Fetch-Site": where, hdrs.CONTENT_TYPE: "text/plain"}
    for origin, status in (("http://evil.example", 403), ("null", 403), (SIBLING, 201)):
        async with one.client.post(SESSIONS, data="{}", headers={**headers, hdrs.ORIGIN: origin}) as response:
            assert response.status == status
    for said in ("same-origin", "none"):
        async with one.client.post(SESSIONS, data="{}", headers={"Sec-Fetch-Site": said}) as response:
            assert response.status == 201


@pytest.mark.proves("access")
@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://evil.example", "desk", 403),
        ("null", "desk", 403),
        ("http://desk.evil.example", "desk", 403),
        ("http://desk:8081", "desk:8080", 403),
        ("http://desk:8080", "desk:8080", 201),
        ("https://desk", "Desk:443", 201),
        (SIBLING, "desk", 201),
    ],
)
async def test_a_browser_that_says_nothing_of_the_page_names_its_origin(
    nodes: tuple[Node, Node], origin: str, host: str, status: int
) -> None:
    """As over plain HTTP to another machine, where browsers leave Sec-Fetch-Site out."""
    headers = {hdrs.CONTENT_TYPE: "text/plain", hdrs.ORIGIN: origin, hdrs.HOST: host}
    async with nodes[0].client.post(SESSIONS, data="{}", headers=headers) as response:
        assert response.status == status


@pytest.mark.proves("access")
@pytest.mark.parametrize(
    ("login", "status"), [("Bearer pstn_x", 201), ("Basic YTpi", 403), ("Negotiate x", 403)]
)
async def test_a_token_is_sent_by_no_page_but_on_purpose(
    nodes: tuple[Node, Node], login: str, status: int
) -> None:
    """A program in a browser's shell has one; logins that the browser knows it adds to what any page sends."""
    headers = {"Sec-Fetch-Site": "cross-site", hdrs.ORIGIN: "app://desk", hdrs.AUTHORIZATION: login}
    async with nodes[0].client.post(SESSIONS, data="{}", headers=headers) as response:
        assert response.status == status
