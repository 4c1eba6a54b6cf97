"""What a witness signs and what it refuses, row by row."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloud_sync.witness.proofs import EMPTY_ROOT
from cloud_sync.witness.rules import (
    Conflict,
    Cosign,
    Reason,
    Refusal,
    Remembered,
    Submitted,
    decide,
    newcomer,
    origin_of,
)
from tests.naive_log import NaiveLog, root

LOG = NaiveLog().grow(20)
OTHER = NaiveLog().grow(20)


def seen(size: int, set_aside: bool = False) -> Remembered:
    """What a witness knows that signed the first `size` leaves."""
    return Remembered(LOG.origin, LOG.key, size, root(LOG.leaves[:size]), set_aside)


def at(size: int) -> NaiveLog:
    """The log as it was, or will be."""
    return NaiveLog(LOG.leaves[:size], LOG.private)


def forked(size: int, begins: int) -> NaiveLog:
    """Another history from the leaf `begins` on, under the same key."""
    leaves = [*LOG.leaves[:begins], *(b"forged %d" % one for one in range(begins, size))]
    return NaiveLog(leaves, LOG.private)


def shown(log: NaiveLog, old: int, proof: tuple[bytes, ...] | None = None) -> Submitted:
    return Submitted(old, log.proof(old) if proof is None else proof, log.note())


BENT = at(12).note().replace(b"\n12\n", b"\n13\n")
NO_LEAVES = LOG.note(at(0).text().replace(b"\n47", b"\n48"))


def test_a_log_that_only_grew_is_signed() -> None:
    for before, now in ((0, 0), (0, 1), (0, 20), (1, 2), (7, 8), (8, 9), (8, 20), (13, 20), (20, 20)):
        decision = decide(seen(before), shown(at(now), before))
        assert isinstance(decision, Cosign), (before, now)
        assert (decision.checkpoint.size, decision.text) == (now, at(now).text())


ROWS: list[tuple[str, Remembered | None, Submitted, Conflict | Refusal]] = [
    ("no note", seen(8), Submitted(8, (), b"hello"), Refusal(Reason.MALFORMED)),
    ("no checkpoint", seen(8), Submitted(8, (), LOG.note(b"hello\n")), Refusal(Reason.MALFORMED)),
    ("begins beyond its end", seen(8), shown(at(12), 13), Refusal(Reason.MALFORMED)),
    ("begins before the beginning", seen(8), shown(at(12), -1), Refusal(Reason.MALFORMED)),
    ("nobody told of it", None, shown(at(12), 8), Refusal(Reason.UNKNOWN_LOG)),
    ("of another log", seen(8), shown(OTHER, 8), Refusal(Reason.UNKNOWN_LOG)),
    ("another key's", seen(8), Submitted(8, at(12).proof(8), OTHER.note(at(12).text())), Refusal(Reason.BAD_SIGNATURE)),
    ("changed since", seen(8), Submitted(8, (), BENT), Refusal(Reason.BAD_SIGNATURE)),
    ("set aside", seen(8, set_aside=True), shown(at(12), 8), Refusal(Reason.SET_ASIDE)),
    ("an end cut off", seen(13), shown(at(12), 12), Refusal(Reason.ROLLED_BACK)),
    ("cut off, and says so", seen(13), shown(at(12), 13), Refusal(Reason.ROLLED_BACK)),
    ("all of it cut off", seen(13), shown(at(0), 0), Refusal(Reason.ROLLED_BACK)),
    ("cut off and gone on with", seen(13), shown(forked(20, 12), 13), Refusal(Reason.INCONSISTENT)),
    ("another of this length", seen(12), shown(forked(12, 11), 12), Refusal(Reason.SPLIT_VIEW)),
    ("another, from further back", seen(12), shown(forked(12, 11), 4), Refusal(Reason.SPLIT_VIEW)),
    ("another history", seen(12), shown(forked(20, 3), 12), Refusal(Reason.INCONSISTENT)),
    ("no proof", seen(12), shown(at(20), 12, ()), Refusal(Reason.INCONSISTENT)),
    ("a proof too long", seen(12), shown(at(20), 12, (*at(20).proof(12), bytes(32))), Refusal(Reason.INCONSISTENT)),
    ("a proof from nothing", seen(0), shown(at(20), 0, (bytes(32),)), Refusal(Reason.INCONSISTENT)),
    ("an empty log with leaves", seen(0), Submitted(0, (), NO_LEAVES), Refusal(Reason.SPLIT_VIEW)),
    ("does not know what was signed", seen(12), shown(at(20), 0), Conflict(12)),
    ("the answer was lost", seen(12), shown(at(20), 8), Conflict(12)),
    ("the answer was lost, and it did not grow", seen(12), shown(at(12), 8), Conflict(12)),
    ("the witness forgot", seen(8), shown(at(20), 12), Conflict(8)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("remembered", "submitted", "wanted"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_anything_else_is_not(
    remembered: Remembered | None, submitted: Submitted, wanted: Conflict | Refusal
) -> None:
    assert decide(remembered, submitted) == wanted


def test_the_rows_have_every_reason() -> None:
    found = {row[3].reason for row in ROWS if isinstance(row[3], Refusal)}
    assert found == set(Reason) - {Reason.OTHER_NODE}  # of the control plane alone


@pytest.mark.parametrize("bend", [lambda key: key, lambda key: key[1:], lambda key: OTHER.key])
def test_a_newcomer_has_the_name_of_its_key(bend: Callable[[bytes], bytes]) -> None:
    found = newcomer(LOG.origin, bend(LOG.key))
    assert (found is not None) == (bend(LOG.key) == LOG.key)
    assert found is None or (found.size, found.root) == (0, EMPTY_ROOT)


def test_who_a_checkpoint_is_of_is_read_without_its_key() -> None:
    assert origin_of(LOG.note()) == LOG.origin
    assert origin_of(b"hello") is None
