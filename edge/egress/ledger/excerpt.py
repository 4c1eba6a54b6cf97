"""What the ledger says of a few envelopes, each leaf proven against a checkpoint: for a visitor's receipt.

Leaves are not indexed by envelope, as only receipts ask, and of minutes ago: the newest are looked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import sqlcipher3

from edge.egress.ledger import notes
from edge.egress.ledger.errors import LedgerBroken
from edge.egress.ledger.leaf_types import leaf_of
from edge.egress.ledger.log import CLOCK_BACK_MS
from edge.egress.ledger.notes import Checkpoint, Note
from edge.egress.ledger.rows import PAGE_ROWS, Rows
from edge.egress.ledger.tree import inclusion_proof
from edge.store.plain import read_plain

LOOKED_MAX: Final = 200_000
"""Leaves, the newest: half an hour of a hundred a second, and half a second of one slow core."""
ENVELOPES_MAX: Final = 100
"""Of one receipt: no conversation lets out so many texts under a policy that has budgets."""
LEAVES_MAX: Final = 500
"""Of one answer: with entries of 450 bytes and proofs of 40 hashes they fit a frame of the socket (1 MiB)."""
SUBTREES_KEPT: Final = 4096
"""Proofs of one answer have most of their way in common: without it 200 take 20 s, for the tree's right edge is no tile
yet and is hashed again for each. Half a megabyte."""
_ENVELOPE: Final = re.compile(rb'"envelope":"([0-9a-f]{32})"')


@dataclass(frozen=True)
class Proven:
    """A leaf, and the hashes by which its checkpoint's root follows from it."""

    index: int
    entry: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True)
class Excerpt:
    """Leaves of the envelopes that were asked for, in order; of one that is not here there are none, or further back.

    `log_key`: as a vkey.
    """

    log_key: str
    checkpoint: bytes
    leaves: tuple[Proven, ...]


class TooMany(Exception):
    """More leaves are of these envelopes than one answer holds."""


class TooFarBack(Exception):
    """One that is not among the newest leaves may stand before them, or in a ledger that was set aside."""


def excerpt(path: Path, note: Note, envelopes: frozenset[str], since_ms: int) -> Excerpt:
    """Of the ledger at `note`, which its writer signed. Blocks. Raises LedgerBroken, TooFarBack, TooMany."""
    size = Checkpoint.parse(note.text).size
    try:
        with closing(read_plain(path)) as db:
            db.execute("BEGIN")
            rows = Rows(db)
            (begin,) = (leaf_of(0, entry) for entry in rows.entries(0, 1))
            leaves = _looked_for(rows, size, envelopes, since_ms) if envelopes else []
            subtree = lru_cache(SUBTREES_KEPT)(rows.subtree())
            proven = tuple(
                Proven(index, entry, tuple(inclusion_proof(index, size, subtree)))
                for index, _, entry in leaves
            )
    except sqlcipher3.Error as error:
        raise LedgerBroken(f"{path} cannot be read: {error}.") from error
    key = notes.log_verifier(bytes.fromhex(str(begin.fields["key"])))
    return Excerpt(str(key), bytes(note), proven)


def _looked_for(
    rows: Rows, size: int, envelopes: frozenset[str], since_ms: int
) -> list[tuple[int, str, bytes]]:
    """(number, envelope, entry) of theirs, in order. Raises TooFarBack, TooMany.

    By the clock, which finds nearly all and reads little; what that does not find may have been written before the
    clock was set back, so all of the newest leaves are looked through before it counts as absent.
    """
    first = _first(rows, size, since_ms - CLOCK_BACK_MS)
    leaves = list(_found(rows, first, size, envelopes))
    if _all_named(leaves, envelopes):
        return leaves
    first = max(0, size - LOOKED_MAX)
    leaves = list(_found(rows, first, size, envelopes))
    (oldest,) = rows.entries(first, first + 1)
    latest_ms = since_ms - CLOCK_BACK_MS if first else since_ms
    if not _all_named(leaves, envelopes) and leaf_of(first, oldest).time_ms > latest_ms:
        raise TooFarBack
    return leaves


def _all_named(leaves: list[tuple[int, str, bytes]], envelopes: frozenset[str]) -> bool:
    return {envelope for _, envelope, _ in leaves} == envelopes


def _first(rows: Rows, size: int, since_ms: int) -> int:
    """Where to begin: before it all leaves are older than `since_ms`, or further back than LOOKED_MAX."""
    for first in range(size, max(0, size - LOOKED_MAX), -PAGE_ROWS):
        (newest,) = rows.entries(first - 1, first)
        if leaf_of(first - 1, newest).time_ms < since_ms:
            return first
    return max(0, size - LOOKED_MAX)


def _found(rows: Rows, first: int, size: int, envelopes: frozenset[str]) -> Iterator[tuple[int, str, bytes]]:
    """(number, envelope, entry) of theirs, in order. Raises TooMany."""
    wanted, count = {one.encode() for one in envelopes}, 0
    for number, entry in enumerate(rows.entries(first, size), first):
        named = _ENVELOPE.search(entry)
        if named is not None and named[1] in wanted:
            count += 1
            if count > LEAVES_MAX:
                raise TooMany
            yield number, named[1].decode(), entry
