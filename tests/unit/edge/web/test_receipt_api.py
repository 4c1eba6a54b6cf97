"""A visitor's receipt: of one's own conversation all that left, of others' nothing, and no text."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.exceptions import InvalidSignature

from core.signing import canonical_json
from edge.egress.exits import CLAIM
from edge.egress.ledger.excerpt import Excerpt, Proven
from edge.store import lan_uses, text_uses
from edge.store.text_uses import Sent
from tests.unit.edge.web.siblings_rig import SESSIONS, Node, bearer, node_of

ENVELOPE = "5f" * 16


@pytest_asyncio.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with AsyncExitStack() as stack:
        yield await node_of(stack, tmp_path, ())


async def receipt_of(node: Node, session: str, opened: dict[str, Any], expect: int = 200) -> dict[str, Any]:
    async with node.client.get(f"{SESSIONS}/{session}/receipt", headers=bearer(opened)) as response:
        assert response.status == expect
        assert expect != 200 or response.headers["Cache-Control"] == "no-store"
        return dict(await response.json())


async def left(node: Node, session: str, envelope: str, size: int, at_ms: int) -> None:
    sent = Sent(envelope, b"sealed") if envelope else None
    await node.rig.store.write(lambda db: text_uses.add(db, "overflow", session, "public", size, at_ms, sent))


async def test_where_nothing_left_it_says_0_bytes(node: Node) -> None:
    opened = await node.arrive()
    session = opened["session_id"]
    await left(node, session, "", 0, 1)  # refused
    told = await receipt_of(node, session, opened)
    assert (told["left_bytes"], told["left"], told["site_network"]) == (0, [], [])
    assert told["claim"] == CLAIM
    assert "for the times that were compared" in CLAIM  # here nobody compared any
    assert (told["proof"], told["proof_missing"]) == (None, "courier_away")


async def test_what_left_is_told_of_this_conversation_alone(node: Node) -> None:
    opened, other = await node.arrive(), await node.arrive()
    session = opened["session_id"]
    await left(node, session, ENVELOPE, 1200, 5)
    await left(node, session, "60" * 16, 640, 6)
    await left(node, other["session_id"], "61" * 16, 99, 7)
    await left(node, "", "62" * 16, 77, 8)  # of a conversation that is forgotten
    begin = partial(
        lan_uses.begin, service="llm_server", host="models.lan", size=300, session=session, at_ms=4
    )
    await node.rig.store.write(begin)
    told = await receipt_of(node, session, opened)
    assert told["left_bytes"] == 1840
    assert told["left"][0] == {
        "at_ms": 5,
        "purpose": "overflow",
        "bytes": 1200,
        "label": "public",
        "envelope": ENVELOPE,
        "destination": "control-plane",
        "record": None,
    }
    assert [one["bytes"] for one in told["left"]] == [1200, 640]
    assert told["site_network"] == [
        {"at_ms": 4, "service": "llm_server", "bytes": 300, "outcome": "begun"}  # no name of a machine
    ]
    assert [one["bytes"] for one in (await receipt_of(node, other["session_id"], other))["left"]] == [99]


async def test_the_ledgers_word_is_on_it_and_the_site_signs_all(node: Node) -> None:
    opened = await node.arrive()
    session = opened["session_id"]
    for envelope in (ENVELOPE, "60" * 16):
        await left(node, session, envelope, 1200, 5)
    intent = {
        "type": "intent",
        "envelope": ENVELOPE,
        "destination": "cloud:1",
        "policy": "ab",
        "verdict": "public",
    }
    close = {"type": "close", "envelope": ENVELOPE, "outcome": "written"}
    leaves = tuple(
        Proven(index, json.dumps(body).encode(), (b"\1" * 32,)) for index, body in ((4, intent), (5, close))
    )
    note = (
        b"postern-ledger/ab\n6\n"
        + base64.b64encode(bytes(32))
        + b"\n\n\xe2\x80\x94 n "
        + base64.b64encode(b"12345")
    )
    node.ledger.found = Excerpt("vkey", note + b"\n", leaves)
    told = await receipt_of(node, session, opened)
    record = told["left"][0]["record"]
    assert (record["outcome"], record["addresses"], record["policy"]) == ("written", ["cloud:1"], "ab")
    assert record["leaves"][1] == {"index": 5, "entry": json.dumps(close), "proof": ["01" * 32]}
    assert told["left"][1]["record"]["outcome"] == "absent"
    assert told["proof"] == {"log_key": "vkey", "checkpoint": (note + b"\n").decode(), "entries": 6}
    assert told["proof_missing"] == ""
    public = node.rig.store.keys.receipts.public_key()
    assert told["key"] == public.public_bytes_raw().hex()
    signature = base64.b64decode(told.pop("signature"))
    public.verify(signature, b"postern visitor receipt 1\n" + canonical_json(told))
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"postern visitor receipt 1\n" + canonical_json({**told, "left": []}))


async def test_what_a_sibling_let_out_before_is_told(node: Node) -> None:
    opened = await node.arrive()
    session = opened["session_id"]
    await left(node, session, "", 1840, 1)  # as `continuation_rows.restore` writes it
    await node.rig.store.write(lambda db: text_uses.add(db, "lan_llm", session, "public", 50, 2))
    told = await receipt_of(node, session, opened)
    assert told["left_bytes"] == 1840
    assert [(one["bytes"], one["envelope"]) for one in told["left"]] == [(1840, "")]


async def test_only_its_owner_has_it(node: Node) -> None:
    opened, other = await node.arrive(), await node.arrive()
    session = opened["session_id"]
    await receipt_of(node, session, other, expect=401)
    await receipt_of(node, session, {"token": ""}, expect=401)
    async with node.client.delete(f"{SESSIONS}/{session}", headers=bearer(opened)) as response:
        assert response.status == 204
    await receipt_of(node, session, opened, expect=401)
