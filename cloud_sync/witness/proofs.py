"""Whether a Merkle tree only grew: RFC 9162 §2.1.4.2. Pure, and shares no code with what writes the tree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32
"""SHA-256."""
EMPTY_ROOT: Final = hashlib.sha256().digest()
"""Of a tree without leaves."""
PROOF_HASHES_MAX: Final = 63
"""Of a tree with fewer than 2^63 leaves; the limit of tlog-witness, too."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """What stands over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def consistent(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `old_size` leaves is the beginning of the one of `new_size`; hashes of 32 bytes."""
    if len(proof) > PROOF_HASHES_MAX or any(len(one) != HASH_BYTES for one in (old_root, new_root, *proof)):
        return False
    if not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    return _walk(old_size, new_size, _path(old_size, old_root, proof)) == (old_root, new_root)


def _path(old_size: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, ...]:
    """A whole tree as the old one is a subtree of the new one, and its root is known: it is not sent."""
    whole = old_size & (old_size - 1) == 0
    return (old_root, *proof) if whole and proof else tuple(proof)


def _walk(old_size: int, new_size: int, path: Sequence[bytes]) -> tuple[bytes, bytes] | None:
    """The roots of both trees, as the path has them; None where it is too short or too long. Old below new."""
    if not path:
        return None
    # The places of the last leaves, seen from the level that the walk has reached: `fn` and `sn` of the RFC.
    old, new = old_size - 1, new_size - 1
    while old & 1:
        old, new = old >> 1, new >> 1
    old_root = new_root = path[0]
    for one in path[1:]:
        if new == 0:
            return None
        if old & 1 or old == new:
            old_root, new_root = node_hash(one, old_root), node_hash(one, new_root)
            while old and not old & 1:
                old, new = old >> 1, new >> 1
        else:
            new_root = node_hash(new_root, one)
        old, new = old >> 1, new >> 1
    return (old_root, new_root) if new == 0 else None
