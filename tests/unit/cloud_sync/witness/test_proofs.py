"""Proofs against the definition, and every way of bending one."""

from __future__ import annotations

import pytest

from cloud_sync.witness.proofs import EMPTY_ROOT, PROOF_HASHES_MAX, consistent
from tests.naive_log import NaiveLog, root

# Around each power of two, and between.
SIZES = range(34)
LOG = NaiveLog().grow(SIZES[-1])
ROOTS = [root(LOG.leaves[:size]) for size in SIZES]
PROOFS = {(old, new): NaiveLog(LOG.leaves[:new]).proof(old) for new in SIZES for old in range(new + 1)}


@pytest.mark.parametrize("new", SIZES)
def test_every_beginning_of_a_tree_is_one(new: int) -> None:
    for old in range(new + 1):
        assert consistent(old, ROOTS[old], new, ROOTS[new], PROOFS[old, new])


@pytest.mark.parametrize("new", SIZES)
def test_no_other_tree_is_a_beginning(new: int) -> None:
    other = root([b"another", *LOG.leaves[1:new]])
    for old in range(1, new + 1):
        assert not consistent(old, root([b"another", *LOG.leaves[1:old]]), new, ROOTS[new], PROOFS[old, new])
        assert not consistent(old, ROOTS[old], new, other, PROOFS[old, new])


@pytest.mark.parametrize("new", range(2, 20))
def test_a_proof_that_was_changed_does_not_hold(new: int) -> None:
    for old in range(1, new):
        proof = PROOFS[old, new]
        bent = [
            proof[:-1],
            (*proof, ROOTS[1]),
            (ROOTS[1], *proof),
            *((*proof[:at], bytes([one[0] ^ 1]) + one[1:], *proof[at + 1 :]) for at, one in enumerate(proof)),
        ]
        if len(proof) > 1:
            bent.append(tuple(reversed(proof)))
        for changed in bent:
            assert not consistent(old, ROOTS[old], new, ROOTS[new], changed), (old, new)


@pytest.mark.parametrize("new", range(1, 20))
def test_a_proof_is_of_its_sizes_alone(new: int) -> None:
    for old in range(1, new):
        for wrong in range(1, 40):
            if wrong != old:
                assert not consistent(wrong, ROOTS[old], new, ROOTS[new], PROOFS[old, new])


def test_nothing_follows_from_nothing() -> None:
    assert consistent(0, EMPTY_ROOT, 5, ROOTS[5], ())
    assert not consistent(0, EMPTY_ROOT, 5, ROOTS[5], (ROOTS[1],))
    assert not consistent(0, ROOTS[1], 5, ROOTS[5], ())
    assert not consistent(3, ROOTS[3], 2, ROOTS[2], ())
    assert not consistent(-1, ROOTS[3], 2, ROOTS[2], ())
    assert not consistent(2, ROOTS[2], 4, ROOTS[4], (b"short",))
    assert not consistent(2, ROOTS[2], 4, ROOTS[4], (ROOTS[1],) * (PROOF_HASHES_MAX + 1))
