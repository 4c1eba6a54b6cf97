"""The verifier against the vectors that all implementations of the proof rules share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge.egress import verify

VECTORS = Path(__file__).parents[3] / "vectors" / "tlog.json"


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    return json.loads(VECTORS.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def root(hashes: list[bytes]) -> bytes:
    tree = verify.Tree(lambda level, number, tile: None)
    full = len(hashes) // verify.TILE * verify.TILE
    for at in range(0, full, verify.TILE):
        tree.push(1, verify.root_of(hashes[at : at + verify.TILE]))
    return tree.root(hashes[full:])


def test_roots(vectors: dict[str, Any]) -> None:
    hashes = [verify.leaf_hash(bytes.fromhex(entry)) for entry in vectors["entries"]]
    told = {one["size"]: one["root"] for one in vectors["roots"] if one["size"]}
    assert len(told) > 10
    assert {size: root(hashes[:size]).hex() for size in told} == told


def test_every_pair_of_roots_that_is_consistent_is_one_of_ours(vectors: dict[str, Any]) -> None:
    # There is nothing to prove to whoever has every leaf: both roots come out of them.
    hashes = [verify.leaf_hash(bytes.fromhex(entry)) for entry in vectors["entries"]]
    for one in vectors["consistency"]:
        if one["old_size"]:
            assert root(hashes[: one["old_size"]]).hex() == one["old_root"]
            assert root(hashes[: one["new_size"]]).hex() == one["new_root"]


def test_the_checkpoint_and_its_cosignature(vectors: dict[str, Any]) -> None:
    told, witness = vectors["checkpoint"], vectors["cosignature"]
    key = verify.Key.parse(told["vkey"], verify.LOG_KIND)
    assert (key.name, key.public.hex(), key.vkey()) == (told["origin"], told["public_key"], told["vkey"])
    assert verify.own_name(key.public) == told["origin"]
    checkpoint = verify.Checkpoint(told["note"].encode(), "checkpoint")
    checkpoint.require_log(key)
    assert (checkpoint.size, checkpoint.root.hex()) == (told["size"], told["root"])
    other = verify.Key.parse(witness["vkey"], verify.WITNESS_KIND)
    assert checkpoint.cosigned_at(other) is None
    cosigned = verify.Checkpoint(witness["note"].encode(), "checkpoint")
    cosigned.require_log(key)
    assert cosigned.cosigned_at(other) == witness["time_s"]
