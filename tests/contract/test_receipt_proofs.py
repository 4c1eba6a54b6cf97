"""A receipt's way through the real courier: what was sent is proven; without a courier there is a reason."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from edge.config import SitePaths
from edge.egress.ledger.excerpt import ENVELOPES_MAX
from edge.egress.ledger.notes import Checkpoint, Note, Verifier, is_signed
from edge.egress.ledger.tree import includes, leaf_hash
from edge.egress.proofs.client import ProofClient, Unproven
from edge.egress.proofs.receipt import OPEN, records_of
from tests.contract.courier_process import new_site, until
from tests.contract.overflow_rig import attached, courier_here, overflow_clouds, recorded, replies, sealed


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


async def test_what_was_sent_is_proven(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        mine, other = sealed(paths), sealed(paths)
        await replies(client, mine)
        await replies(client, other)
        await until(lambda: recorded(paths, "close") == 2)
        found = await ProofClient(paths.courier_socket).proofs([mine.identifier.hex()], 0)
        records = records_of(found)
        assert records.keys() == {mine.identifier.hex()}
        record = records[mine.identifier.hex()]
        assert (record["outcome"], record["addresses"]) == ("written", [cloud.endpoint])
        assert (record["policy"], record["verdict"]) == (mine.policy.hex(), "public")
        intent, close = (json.loads(one["entry"]) for one in record["leaves"])
        assert intent["bytes"] == close["bytes"] == len(mine.payload)
        note = Note.parse(found.checkpoint)
        signed = Checkpoint.parse(note.text)
        assert is_signed(note, Verifier.parse(found.log_key))
        for one in found.leaves:
            assert includes(signed.root, signed.size, one.index, leaf_hash(one.entry), one.proof)


async def test_what_is_under_way_is_open(paths: SitePaths) -> None:
    async with overflow_clouds(paths) as (cloud,), courier_here(paths), attached(paths) as client:
        cloud.go_on.clear()
        mine = sealed(paths)
        answering = asyncio.create_task(replies(client, mine))
        await until(lambda: bool(cloud.requests))
        found = await ProofClient(paths.courier_socket).proofs([mine.identifier.hex()], 0)
        assert records_of(found)[mine.identifier.hex()]["outcome"] == OPEN
        cloud.go_on.set()
        await answering
        await until(lambda: recorded(paths, "close") == 1)  # behind the answer's end


async def test_before_enrolment_the_checkpoint_alone_is_told(paths: SitePaths) -> None:
    async with courier_here(paths):
        found = await ProofClient(paths.courier_socket).proofs([], 0)
    assert Checkpoint.parse(Note.parse(found.checkpoint).text).size == 1
    assert found.leaves == ()


async def test_without_a_courier_and_for_too_many_there_is_a_reason(paths: SitePaths) -> None:
    client = ProofClient(paths.courier_socket)
    with pytest.raises(Unproven, match="courier_away"):
        await client.proofs([], 0)
    with pytest.raises(Unproven, match="too_many"):
        await client.proofs(["00" * 16] * (ENVELOPES_MAX + 1), 0)
