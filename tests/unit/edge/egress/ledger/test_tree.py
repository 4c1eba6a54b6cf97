"""The ledger's tree, against vectors of a naive routine (tests/vectors/tlog.py) and of Certificate Transparency."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from edge.egress.ledger import tree
from tests.vectors import tlog

# Of Certificate Transparency's tests, for its first entries: agreed on by its implementations since 2013.
KNOWN_ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@cache
def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tlog.PLACE.read_text(encoding="utf-8"))
    return found


@cache
def leaves() -> list[bytes]:
    return [tree.leaf_hash(bytes.fromhex(entry)) for entry in vectors()["entries"]]


def subtree(level: int, index: int) -> bytes:
    return tree.folded(leaves()[index << level : (index + 1) << level])


def hashes(named: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in named]


def test_the_vectors_are_those_of_the_naive_routine() -> None:
    assert json.loads(json.dumps(tlog.made())) == vectors()
    roots = {one["size"]: one["root"] for one in vectors()["roots"]}
    assert {size: roots[size] for size in KNOWN_ROOTS} == KNOWN_ROOTS


def test_roots() -> None:
    for one in vectors()["roots"]:
        assert tree.root(one["size"], subtree).hex() == one["root"]


def test_inclusion() -> None:
    for one in vectors()["inclusion"]:
        proof = hashes(one["proof"])
        assert tree.inclusion_proof(one["index"], one["size"], subtree) == proof
        leaf, root = hashes([one["leaf_hash"], one["root"]])
        assert tree.includes(root, one["size"], one["index"], leaf, proof)


def test_consistency() -> None:
    for one in vectors()["consistency"]:
        proof = hashes(one["proof"])
        assert tree.consistency_proof(one["old_size"], one["new_size"], subtree) == proof
        old, new = hashes([one["old_root"], one["new_root"]])
        assert tree.continues(old, one["old_size"], new, one["new_size"], proof)


def spoiled(proof: list[bytes]) -> list[list[bytes]]:
    """Each a little wrong."""
    choose = random.Random(len(proof))
    found = [[*proof, bytes(32)], [bytes(32), *proof]]
    for at in range(len(proof)):
        found.append(proof[:at] + proof[at + 1 :])
        found.append([*proof[:at], proof[at][:-1], *proof[at + 1 :]])
        bit = bytearray(proof[at])
        bit[choose.randrange(32)] ^= 1 << choose.randrange(8)
        found.append([*proof[:at], bytes(bit), *proof[at + 1 :]])
    return [one for one in found if one != proof]


def test_no_other_proof_holds() -> None:
    for one in vectors()["inclusion"]:
        leaf, root = hashes([one["leaf_hash"], one["root"]])
        size, index, proof = one["size"], one["index"], hashes(one["proof"])
        assert not any(tree.includes(root, size, index, leaf, other) for other in spoiled(proof))
        assert not tree.includes(root, size, index + 1, leaf, proof)
        assert not tree.includes(root, size, index, root if size > 1 else leaf[::-1], proof)
    for one in vectors()["consistency"]:
        old, new = hashes([one["old_root"], one["new_root"]])
        sizes, proof = (one["old_size"], one["new_size"]), hashes(one["proof"])
        assert not any(tree.continues(old, sizes[0], new, sizes[1], other) for other in spoiled(proof))
        if 0 < sizes[0] < sizes[1]:
            assert not tree.continues(new, sizes[0], old, sizes[1], proof)
            assert not tree.continues(old[::-1], sizes[0], new, sizes[1], proof)


def test_a_proof_outside_the_tree_is_refused() -> None:
    for ask in (lambda: tree.inclusion_proof(5, 5, subtree), lambda: tree.consistency_proof(6, 5, subtree)):
        with pytest.raises(ValueError, match="no "):
            ask()
    assert not tree.includes(leaves()[0], 1, -1, leaves()[0], [])
    assert not tree.continues(leaves()[0], 2, leaves()[0], 1, [])


def test_a_growing_tree_gives_the_tiles_that_are_full() -> None:
    """Small tiles, so that three levels of them fill."""
    growing, tiles = tree.Growing(), {}
    count = tree.TILE_WIDTH * tree.TILE_WIDTH + 300
    every = [tree.leaf_hash(str(number).encode()) for number in range(count)]
    roots = {}
    for number, leaf in enumerate(every):
        for level, tile, data in growing.add(leaf):
            tiles[level, tile] = data
        if number in (255, 256, 70, count - 1):
            roots[number + 1] = growing.root()
    assert sorted(tiles) == [*((0, number) for number in range(257)), (1, 0)]
    assert tiles[0, 3] == b"".join(every[768:1024])
    assert growing.size == count

    def hash_at(level: int, index: int) -> bytes:
        """As a log has it: full tiles, and what is not in one from below."""
        tile = tiles.get((level, index // 256))
        if tile is not None:
            return tile[index % 256 * 32 :][:32]
        if level == 0:
            return every[index]
        return tree.folded([hash_at(level - 1, at) for at in range(index * 256, (index + 1) * 256)])

    told: Callable[[int, int], bytes] = tree.from_tiles(hash_at)
    for size, root in roots.items():
        assert tree.root(size, told) == root
        assert tree.includes(root, size, 70, every[70], tree.inclusion_proof(70, size, told))
    sizes = sorted(roots)
    for old, new in pairwise(sizes):
        proof = tree.consistency_proof(old, new, told)
        assert tree.continues(roots[old], old, roots[new], new, proof)


def test_a_copy_grows_on_its_own() -> None:
    growing = tree.Growing()
    list(growing.add(leaves()[0]))
    other = growing.copy()
    list(other.add(leaves()[1]))
    assert (growing.size, other.size) == (1, 2)
    assert growing.root() == leaves()[0]
