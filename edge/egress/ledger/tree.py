"""The tree of RFC 9162 §2.1 over leaves of any number: roots, proofs, and whether a proof holds. Pure.

A subtree (level, index) is whole: the leaves from index * 2^level on, 2^level of them. Its hash never changes again, so
that all that is told of any size of the log, also an older one, is made of such hashes; where they come from is the
caller's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
# As C2SP tlog-tiles has it: hashes of one tile, and the levels of the tree that one tile spans.
TILE_WIDTH = 256
TILE_LEVELS = 8

Subtree = Callable[[int, int], bytes]
"""(level, index) -> hash of that whole subtree."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of what stands above two."""
    return hashlib.sha256(b"\1" + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """Hash of the whole subtree over neighbours; as many as a power of two."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def root(size: int, subtree: Subtree) -> bytes:
    """Root of the first `size` leaves."""
    return _range_hash(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """That leaf `index` is in the tree of `size` leaves. Raises ValueError for an index outside of it."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    proof: list[bytes] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            proof.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            proof.append(_range_hash(first, middle, subtree))
            first = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """That the tree of `new` leaves begins with that of `old`; empty when old is 0 or new. Raises ValueError."""
    if not 0 <= old <= new:
        raise ValueError(f"no tree of {old} in one of {new}")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    first, end, known = 0, new, True
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            proof.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            proof.append(_range_hash(first, middle, subtree))
            first, known = middle, False
    # Whoever checks it has the old root: where that is the subtree in question, it need not be told.
    return proof[::-1] if known else [_range_hash(first, end, subtree), *proof[::-1]]


def includes(root_hash: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the leaf of hash `leaf` is number `index` of `size` (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size or any(len(one) != HASH_BYTES for one in proof):
        return False
    node, last, hashed = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            hashed = node_hash(one, hashed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = node_hash(hashed, one)
        node, last = node >> 1, last >> 1
    return last == 0 and hashed == root_hash


def continues(old_root: bytes, old: int, new_root: bytes, new: int, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of `new` leaves begins with that of `old` (RFC 9162 §2.1.4.2).

    Any tree begins with the empty one.
    """
    if not 0 <= old <= new or any(len(one) != HASH_BYTES for one in proof):
        return False
    if old in (0, new):
        return not proof and old_root == (EMPTY_ROOT if old == 0 else new_root)
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    older = newer = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            older, newer = node_hash(one, older), node_hash(one, newer)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            newer = node_hash(newer, one)
        node, last = node >> 1, last >> 1
    return last == 0 and older == old_root and newer == new_root


def from_tiles(hash_at: Callable[[int, int], bytes]) -> Subtree:
    """Subtrees by way of tiles; `hash_at` gives hash `index` (over all tiles) of tile level `level`."""

    def subtree(level: int, index: int) -> bytes:
        tile_level, rest = divmod(level, TILE_LEVELS)
        first, width = index << rest, 1 << rest
        return folded([hash_at(tile_level, at) for at in range(first, first + width)])

    return subtree


class Growing:
    """The right edge of a growing tree: of each tile level the hashes of its tile that is not full yet."""

    def __init__(self, size: int = 0) -> None:
        """Of `size` leaves, whose edge must then be told level by level."""
        self.size = size
        self._open: list[list[bytes]] = []

    def edge(self, level: int, hashes: list[bytes]) -> None:
        """The hashes of the next tile level that are in no full tile."""
        if level != len(self._open):
            raise ValueError(f"level {level} does not follow {len(self._open) - 1}")
        self._open.append(hashes)

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Take on the next leaf's hash; gives the tiles that it fills: (level, number, hashes in a row)."""
        level, hashed = 0, leaf
        while True:
            if level == len(self._open):
                self._open.append([])
            tile = self._open[level]
            tile.append(hashed)
            if len(tile) < TILE_WIDTH:
                break
            yield level, self.size >> TILE_LEVELS * (level + 1), b"".join(tile)
            hashed = folded(tile)
            tile.clear()
            level += 1
        self.size += 1

    def root(self) -> bytes:
        """Root of all leaves so far."""
        return root(self.size, from_tiles(self._hash_at))

    def copy(self) -> Growing:
        """One that grows on its own."""
        other = Growing(self.size)
        other._open = [list(tile) for tile in self._open]
        return other

    def _hash_at(self, level: int, index: int) -> bytes:
        return self._open[level][index % TILE_WIDTH]


def _split(count: int) -> int:
    """The largest power of two below `count`, which is above 1."""
    return 1 << (count - 1).bit_length() - 1


def _range_hash(first: int, end: int, subtree: Subtree) -> bytes:
    """Hash over leaves [first, end), where `first` fits a whole subtree that is no smaller."""
    parts: list[bytes] = []
    while first < end:
        level = (end - first).bit_length() - 1
        parts.append(subtree(level, first >> level))
        first += 1 << level
    hashed = parts.pop()
    while parts:
        hashed = node_hash(parts.pop(), hashed)
    return hashed
