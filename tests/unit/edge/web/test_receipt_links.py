"""Links to a receipt: each opens that one and nothing else, for ten minutes, while the conversation is there."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge.web import receipt_links
from edge.web.kiosk_page import KIOSK
from edge.web.receipt_links import LINK_S, READS_MAX
from tests.unit.edge.web.siblings_rig import SESSIONS, Node, bearer, node_of

WORDS = KIOSK / "static" / "words.js"
ORIGIN = "https://desk.clinic.internal"


class Clock:
    s = 1_000.0

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def node(tmp_path: Path, clock: Clock) -> AsyncIterator[Node]:
    async with AsyncExitStack() as stack:
        yield await node_of(stack, tmp_path, (), clock)


async def link_of(
    node: Node, opened: dict[str, Any], origin: str = ORIGIN, expect: int = 201
) -> dict[str, Any]:
    path = f"{SESSIONS}/{opened['session_id']}/receipt-link"
    async with node.client.post(path, json={"origin": origin}, headers=bearer(opened)) as response:
        assert response.status == expect
        assert response.headers.get("Cache-Control", "no-store") == "no-store"
        return dict(await response.json())


async def read(node: Node, secret: str) -> tuple[int, dict[str, Any]]:
    async with node.client.get("/api/v1/receipt", headers={"Authorization": f"Bearer {secret}"}) as response:
        return response.status, await response.json()


def secret_of(link: dict[str, Any]) -> str:
    address, _, secret = str(link["url"]).partition("#")
    assert address == f"{ORIGIN}/receipt"
    return secret


async def test_it_opens_that_receipt_and_nothing_else(node: Node) -> None:
    opened = await node.arrive()
    link = await link_of(node, opened)
    secret = secret_of(link)
    assert (link["expires_in_s"], link["no_qr"]) == (600, "")
    assert link["qr"].startswith("data:image/svg+xml")
    assert opened["token"] not in link["url"]
    assert opened["session_id"] not in link["url"]
    status, told = await read(node, secret)
    assert (status, told["receipt"]["session_id"], told["expires_in_s"]) == (200, opened["session_id"], 600)
    # It is no token of the conversation.
    async with node.client.get(
        f"{SESSIONS}/{opened['session_id']}/receipt", headers={"Authorization": f"Bearer {secret}"}
    ) as response:
        assert response.status == 401


async def test_it_ends_after_its_time(node: Node, clock: Clock) -> None:
    secret = secret_of(await link_of(node, await node.arrive()))
    clock.s += LINK_S - 1
    assert (await read(node, secret))[1]["expires_in_s"] == 1
    clock.s += 1
    status, problem = await read(node, secret)
    assert (status, problem["code"]) == (404, "receipt_link_over")
    for said in (problem["remedy"], WORDS.read_text()):
        assert f"after {READS_MAX} openings, or when a newer one was made" in said


async def test_it_ends_with_the_conversation(node: Node) -> None:
    opened = await node.arrive()
    secret = secret_of(await link_of(node, opened))
    path = f"{SESSIONS}/{opened['session_id']}"
    async with node.client.delete(path, headers=bearer(opened)) as response:
        assert response.status == 204
    assert (await read(node, secret))[0] == 404


async def test_a_newer_one_ends_the_older(node: Node) -> None:
    opened = await node.arrive()
    older, newer = secret_of(await link_of(node, opened)), secret_of(await link_of(node, opened))
    assert older != newer
    assert ((await read(node, older))[0], (await read(node, newer))[0]) == (404, 200)


async def test_it_is_read_so_often_at_most(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipt_links, "READS_MAX", 2)
    secret = secret_of(await link_of(node, await node.arrive()))
    assert [(await read(node, secret))[0] for _ in range(3)] == [200, 200, 404]


async def test_reading_it_is_no_sign_that_somebody_is_at_the_screen(node: Node) -> None:
    opened = await node.arrive()
    secret = secret_of(await link_of(node, opened))
    live = node.rig.sessions._live[opened["session_id"]]
    live.seen_s = 7.0
    assert (await read(node, secret))[0] == 200
    assert live.seen_s == 7.0


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:8080", "https://127.8.8.8"]
)
async def test_of_an_address_that_no_phone_can_open_there_is_no_code(node: Node, origin: str) -> None:
    link = await link_of(node, await node.arrive(), origin)
    assert (link["qr"], link["no_qr"]) == ("", "loopback")
    assert link["url"].startswith(f"{origin}/receipt#")


@pytest.mark.parametrize(
    "origin",
    ["", "desk", "ftp://desk", "https://desk/path", "https://a@desk", "https://desk#x", "https://[::1"],
)
async def test_what_is_no_address_of_a_page_is_refused(node: Node, origin: str) -> None:
    problem = await link_of(node, await node.arrive(), origin, expect=400)
    assert problem["code"] == "bad_request"


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/receipt", b"404"), (f"{SESSIONS}/SESSION/receipt", b"401")]
)
async def test_a_token_of_bytes_that_are_no_text_is_a_wrong_one(node: Node, path: str, status: bytes) -> None:
    path = path.replace("SESSION", (await node.arrive())["session_id"])
    url = node.client.make_url("/")
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"GET {path} HTTP/1.1\r\nHost: desk\r\nConnection: close\r\n".encode()
    writer.write(head + b"Authorization: Bearer \xff\xfe\r\n\r\n")  # aiohttp's client would encode it
    answer = await reader.read()
    writer.close()
    assert answer.split(b" ", 2)[1] == status


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi", "Bearer " + "A" * 22])
async def test_without_a_link_there_is_nothing(node: Node, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with node.client.get("/api/v1/receipt", headers=headers) as response:
        assert (response.status, (await response.json())["code"]) == (404, "receipt_link_over")


async def test_only_the_conversations_owner_is_given_one(node: Node) -> None:
    opened, other = await node.arrive(), await node.arrive()
    path = f"{SESSIONS}/{opened['session_id']}/receipt-link"
    async with node.client.post(path, json={"origin": ORIGIN}, headers=bearer(other)) as response:
        assert response.status == 401


async def test_what_checks_a_receipt_lies_beside_the_page(node: Node, tmp_path: Path) -> None:
    """With the program and the key from there, and nothing of ours, a receipt is found to be the site's."""
    opened = await node.arrive()
    async with node.client.get(
        f"{SESSIONS}/{opened['session_id']}/receipt", headers=bearer(opened)
    ) as response:
        (tmp_path / "receipt.json").write_bytes(await response.read())
    for name in ("verify.py", "receipts.pub"):
        async with node.client.get(f"/receipt/{name}") as response:
            assert response.status == 200
            assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
            (tmp_path / name).write_bytes(await response.read())
    program = [sys.executable, "-I", "verify.py"]
    checked = await asyncio.create_subprocess_exec(
        *program, "--receipt", "receipt.json", "--site-key", "receipts.pub", cwd=tmp_path, stdout=PIPE
    )
    said, _ = await checked.communicate()
    assert checked.returncode == 0
    assert b"it is the site's" in said


async def test_the_page_holds_nothing_of_anybody(node: Node) -> None:
    async with node.client.get("/receipt") as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
