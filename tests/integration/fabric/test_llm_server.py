"""The language model server of a site's own network: whole answers, every way to fail, and what is written down."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError
from sqlite_utils import Database

from core.completions import asking
from core.completions.errors import (
    LlmServerBusy,
    LlmServerCut,
    LlmServerFailed,
    LlmServerLate,
    LlmServerUnreachable,
)
from core.errors import ConfigError, PosternError
from core.network import NotLocal
from edge.config import LlmServerSection, site_paths
from edge.egress.llm_server import LAN_BYTES_MAX, LlmServer, lan_refusal
from edge.egress.records.guard import GuardRefused
from edge.egress.text.handover import Admitted, Handover, Source, TextRefusal, TextRefused
from edge.inference.conversation import Message, Piece
from edge.privacy import forgetting
from edge.privacy.policy import Purpose
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from edge.store import lan_uses
from edge.store.lan_uses import LanUse
from edge.store.store import Store
from models.detect.spans import Span
from tests.integration.fabric.llm_server import WORDS, LlmServerFake, llm_server
from tests.integration.fabric.staff_servers import site_authority
from tests.ports import free_port

QUESTION = [
    Message("system", (Piece("Answer.", published=True),)),
    Message("user", (Piece("Where is the lift? canary-4711"),)),
]


@pytest_asyncio.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path / "site"))
    await opened.write(begin_conversations)
    yield opened
    await opened.close()


def begin_conversations(db: Database) -> None:
    """ "s-1" and "s-2"."""
    for session in ("s-1", "s-2"):
        db.execute(
            "INSERT INTO sessions(id, subject, token_hash, channel, locale, created_ms, expires_ms)"
            " VALUES (?, 'somebody', x'00', 'kiosk', 'en', 1, 2)",
            [session],
        )


@pytest_asyncio.fixture
async def fake() -> AsyncIterator[LlmServerFake]:
    async with llm_server() as running:
        yield running


def section(port: int, **more: Any) -> LlmServerSection:
    return LlmServerSection(url=f"http://127.0.0.1:{port}/v1", model="big", **more)


async def as_it_is(asked: Handover, within_s: float) -> Admitted | TextRefusal:
    """The guard under a policy that lets the site's own model have everything."""
    return Admitted(tuple(part.text for part in asked.parts), None, None)


async def ask(server: LlmServer, deadline_s: float = 20.0) -> list[str]:
    return [
        text
        async for text in server.generate(QUESTION, max_new_tokens=20, deadline_s=deadline_s, about="s-1")
    ]


async def uses(store: Store) -> list[LanUse]:
    return await store.read(lambda db: lan_uses.of_session(db, "s-1"))


@pytest.mark.proves("local-network")
async def test_what_the_guard_refuses_is_not_sent(fake: LlmServerFake, store: Store) -> None:
    asked: list[Handover] = []

    async def refuse(one: Handover, within_s: float) -> Admitted | TextRefusal:
        asked.append(one)
        return TextRefusal("policy_special", "lan_llm.special")

    server = LlmServer(section(fake.port), store, refuse, 5.0)
    with pytest.raises(TextRefused) as caught:
        await ask(server)
    assert "policy_special" in caught.value.detail
    assert (fake.bodies, await uses(store), server.ready) == ([], [], True)
    (one,) = asked
    assert (one.purpose, one.session) == (Purpose.LAN_LLM, "s-1")
    assert [(part.text, part.source) for part in one.parts] == [
        (QUESTION[0].text, Source.PUBLIC),
        (QUESTION[1].text, Source.CUSTOMER),
    ]


async def test_marks_go_and_values_come_back(fake: LlmServerFake, store: Store) -> None:
    pseudonyms = Pseudonyms(Scope("site", "s-1", "lan_llm"))

    async def mask(one: Handover, within_s: float) -> Admitted | TextRefusal:
        system, user = (part.text for part in one.parts)
        at = user.index("canary-4711")
        masked = pseudonyms.mask(user, [Span("OTHER_ID", at, at + len("canary-4711"), 0.9)])
        mark = masked[at:]
        fake.words = ("It is ", mark[:5], mark[5:-1], mark[-1:], ".")
        return Admitted((system, masked), None, pseudonyms)

    assert "".join(await ask(LlmServer(section(fake.port), store, mask, 5.0))) == "It is canary-4711."
    assert "canary-4711" not in json.dumps(fake.bodies)


@pytest.mark.parametrize("trouble", ["", "comments", "length"])
async def test_a_whole_answer_streams_and_is_written_down(
    fake: LlmServerFake, store: Store, tmp_path: Path, trouble: str
) -> None:
    fake.trouble = trouble
    (tmp_path / "key").write_text("k-1\n")
    server = LlmServer(section(fake.port, api_key_file=tmp_path / "key"), store, as_it_is, 5.0)
    assert await ask(server) == list(WORDS)
    assert fake.keys == ["Bearer k-1"]
    assert fake.bodies[0]["messages"][1] == {"role": "user", "content": QUESTION[1].text}
    assert (fake.bodies[0]["temperature"], fake.bodies[0]["max_tokens"]) == (0, 20)
    (use,) = await uses(store)
    assert (use.service, use.host, use.outcome) == ("llm_server", "127.0.0.1", "whole")
    assert use.bytes > 50
    assert server.ready


@pytest.mark.parametrize(
    ("trouble", "error", "pieces"),
    [
        ("busy", LlmServerBusy, 0),
        ("broken", LlmServerFailed, 0),
        ("elsewhere", LlmServerFailed, 0),
        ("no_stream", LlmServerFailed, 0),
        ("cut_first", LlmServerCut, 0),
        ("cut", LlmServerCut, 3),
        ("no_end", LlmServerCut, 7),
        ("malformed", LlmServerFailed, 3),
        ("error_event", LlmServerFailed, 3),
        ("long_line", LlmServerFailed, 3),
        ("content_filter", LlmServerFailed, 7),
    ],
)
async def test_what_is_not_whole_ends_in_an_error(
    fake: LlmServerFake, store: Store, trouble: str, error: type[PosternError], pieces: int
) -> None:
    fake.trouble = trouble
    server = LlmServer(section(fake.port), store, as_it_is, 5.0)
    got: list[str] = []

    async def read() -> None:
        async for text in server.generate(QUESTION, max_new_tokens=20, deadline_s=20, about="s-1"):
            got.append(text)

    with pytest.raises(error) as caught:
        await read()
    assert len(got) == pieces
    assert not {"secret", "canary-4711"} & set(str(caught.value).split())
    assert not server.ready
    assert server.last_error == caught.value.code == (await uses(store))[0].outcome


async def test_a_busy_server_says_when_to_come_back(fake: LlmServerFake, store: Store) -> None:
    fake.trouble = "busy"
    with pytest.raises(LlmServerBusy) as caught:
        await ask(LlmServer(section(fake.port), store, as_it_is, 5.0))
    assert caught.value.retry_after_s == 7


@pytest.mark.parametrize(
    ("trouble", "first_s", "deadline_s"), [("slow_first", 0.2, 20.0), ("hangs", 20.0, 0.4)]
)
async def test_first_words_and_the_end_have_deadlines(
    fake: LlmServerFake, store: Store, trouble: str, first_s: float, deadline_s: float
) -> None:
    fake.trouble = trouble
    while not fake.bodies:  # a loaded machine may be late before it has asked
        with pytest.raises(LlmServerLate):
            await ask(LlmServer(section(fake.port), store, as_it_is, first_s), deadline_s)
    await asyncio.wait_for(fake.left.wait(), 20)


@pytest.mark.parametrize(("first_s", "deadline_s"), [(0.2, 20.0), (20.0, 0.2)])
async def test_the_guards_time_is_taken_out_of_the_customers(
    fake: LlmServerFake, store: Store, first_s: float, deadline_s: float
) -> None:
    """A guard that takes all there is leaves none for the server, which is neither asked nor blamed."""
    given: list[float] = []

    async def slow(asked: Handover, within_s: float) -> Admitted | TextRefusal:
        given.append(within_s)
        ends = asyncio.get_running_loop().time() + within_s
        reached = asyncio.Event()
        asyncio.get_running_loop().call_at(ends, reached.set)
        await reached.wait()
        return await as_it_is(asked, within_s)

    server = LlmServer(section(fake.port), store, slow, first_s)
    with pytest.raises(LlmServerLate):
        await ask(server, deadline_s)
    assert given == [pytest.approx(0.2)]
    assert (fake.bodies, await uses(store), server.ready) == ([], [], True)


async def test_leaving_ends_the_request(fake: LlmServerFake, store: Store) -> None:
    fake.trouble = "hangs"
    server = LlmServer(section(fake.port), store, as_it_is, 5.0)
    async with aclosing(server.generate(QUESTION, max_new_tokens=20, deadline_s=20, about="s-1")) as pieces:
        await anext(pieces)
    await asyncio.wait_for(fake.left.wait(), 20)
    assert [use.outcome for use in await uses(store)] == ["left"]
    assert server.ready


@pytest.mark.proves("local-network")
async def test_it_is_written_down_before_it_is_sent(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def look(request: Any, _: float) -> None:
        request.close()  # never begun
        seen.extend(use.outcome for use in await uses(store))
        raise LlmServerUnreachable

    monkeypatch.setattr(asking, "_within", look)
    with pytest.raises(LlmServerUnreachable):
        await ask(LlmServer(section(9), store, as_it_is, 5.0))
    assert seen == ["begun"]


async def test_nobody_there(store: Store) -> None:
    with pytest.raises(LlmServerUnreachable):
        await ask(LlmServer(section(free_port()), store, as_it_is, 5.0))


@pytest.mark.proves("local-network")
async def test_a_name_that_leads_outside_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def outside(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.5", 443))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", outside, raising=False)
    settings = LlmServerSection(url="https://llm.clinic.test/v1", model="big", sha256="ab" * 32)
    with pytest.raises(NotLocal):
        await ask(LlmServer(settings, store, as_it_is, 5.0))
    assert await uses(store) == []


@pytest.mark.proves("local-network")
async def test_the_pinned_certificate_is_the_only_one(store: Store, tmp_path: Path) -> None:
    ours, other = site_authority(tmp_path / "ours"), site_authority(tmp_path / "other")
    async with llm_server(ours.server) as fake:
        url = f"https://localhost:{fake.port}/v1"
        for right in ({"ca_file": ours.ca_file}, {"sha256": _fingerprint(tmp_path / "ours")}):
            settings = LlmServerSection.model_validate({"url": url, "model": "big", **right})
            assert await ask(LlmServer(settings, store, as_it_is, 5.0)) == list(WORDS)
        for wrong in ({"ca_file": other.ca_file}, {"sha256": "ab" * 32}):
            settings = LlmServerSection.model_validate({"url": url, "model": "big", **wrong})
            with pytest.raises(LlmServerUnreachable):
                await ask(LlmServer(settings, store, as_it_is, 5.0))
        assert len(fake.bodies) == 2


def _fingerprint(folder: Path) -> str:
    pem = (folder / "server.pem").read_text()
    certificate = pem[pem.index("-----BEGIN CERTIFICATE") :]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://203.0.113.5/v1", "sha256": "ab" * 32},
        {"url": "http://10.0.0.5/v1"},
        {"url": "https://10.0.0.5/v1"},
        {"url": "https://10.0.0.5/v1", "sha256": "ab" * 32, "ca_file": "/ca.pem"},
        {"url": "https://10.0.0.5/v1", "sha256": "ab" * 32, "model": ""},
        {"url": "https://me:secret@10.0.0.5/v1", "sha256": "ab" * 32},
        {"url": "https://10.0.0.5/v1", "sha256": "ab" * 31},
    ],
)
def test_settings_that_could_lead_astray_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        LlmServerSection.model_validate({"model": "big", **wrong})


async def test_a_key_that_cannot_be_read_is_said_at_the_start(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        LlmServer(section(1, api_key_file=tmp_path / "none"), store, as_it_is, 5.0)


async def test_too_much_text_is_refused_before_anything_is_sent(fake: LlmServerFake, store: Store) -> None:
    server = LlmServer(section(fake.port), store, as_it_is, 5.0)
    with pytest.raises(GuardRefused):
        async for _ in server.generate(
            [Message("user", (Piece("x" * LAN_BYTES_MAX),))], max_new_tokens=5, deadline_s=5
        ):
            pass
    assert fake.bodies == []


def test_only_addresses_of_the_site_are_given_text_and_not_too_much() -> None:
    inside = ["10.1.2.3"]
    assert lan_refusal(inside, LAN_BYTES_MAX) == ""
    assert lan_refusal(inside, LAN_BYTES_MAX + 1) == "size"
    assert lan_refusal([*inside, "203.0.113.5"], 1) == lan_refusal([], 1) == "lan_address"


async def test_a_forgotten_conversation_leaves_rows_about_nobody(store: Store) -> None:
    await store.write(lambda db: lan_uses.begin(db, "llm_server", "10.0.0.5", 9, "s-1", 1))
    await store.write(lambda db: forgetting.forget_conversation(db, "s-1"))
    assert await uses(store) == []
    assert len(await store.read(lambda db: lan_uses.of_session(db, ""))) == 1
