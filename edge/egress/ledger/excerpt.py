"""What the ledger says of a few envelopes, each leaf proven against a checkpoint: for a visitor's receipt.

Leaves are not indexed by envelope, as only receipts ask, and of minutes ago: the newest are looked through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlcipher3

from edge.egress.ledger import notes
from edge.egress.ledger.errors import LedgerBroken
from edge.egress.ledger.leaf_types import leaf_of
from edge.egress.ledger.notes import Checkpoint, Note
from edge.egress.ledger.rows import PAGE_ROWS, Rows
from edge.egress.ledger.tree import inclusion_proof
from edge.store.plain import read_plain

LOOKED_MAX: Final = 200_000
"""Leaves, the newest: half an hour of a hundred a second, and some 0.3 s of one core."""
ENVELOPES_MAX: Final = 100
"""Of one receipt: no conversation lets out so many texts under a policy that has budgets."""
CLOCK_BACK_MS: Final = 300_000
"""A clock that is set right steps back by less; leaves are then older than what they were announced for."""
LEAVES_MAX: Final = 500
"""Of one answer: with entries of 450 bytes and proofs of 40 hashes they fit a frame of the socket (1 MiB)."""
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


def excerpt(path: Path, note: Note, envelopes: frozenset[str], since_ms: int) -> Excerpt:
    """Of the ledger at `note`, which its writer signed. Blocks. Raises LedgerBroken, TooMany."""
    size = Checkpoint.parse(note.text).size
    try:
        with closing(read_plain(path)) as db:
            db.execute("BEGIN")
            rows = Rows(db)
            leaves = sorted(_found(rows, size, envelopes, since_ms)) if envelopes else []
            subtree = rows.subtree()
            proven = tuple(
                Proven(index, entry, tuple(inclusion_proof(index, size, subtree))) for index, entry in leaves
            )
            (begin,) = (leaf_of(0, entry) for entry in rows.entries(0, 1))
    except sqlcipher3.Error as error:
        raise LedgerBroken(f"{path} cannot be read: {error}.") from error
    key = notes.log_verifier(bytes.fromhex(str(begin.fields["key"])))
    return Excerpt(str(key), bytes(note), proven)


def _found(rows: Rows, size: int, envelopes: frozenset[str], since_ms: int) -> Iterator[tuple[int, bytes]]:
    """(number, entry) of theirs, a page after the other, the newest page first."""
    wanted, count = {one.encode() for one in envelopes}, 0
    for end in range(size, max(0, size - LOOKED_MAX), -PAGE_ROWS):
        first = max(0, end - PAGE_ROWS)
        page = list(rows.entries(first, end))
        for number, entry in enumerate(page, first):
            named = _ENVELOPE.search(entry)
            if named is not None and named[1] in wanted:
                count += 1
                if count > LEAVES_MAX:
                    raise TooMany
                yield number, entry
        if leaf_of(end - 1, page[-1]).time_ms < since_ms - CLOCK_BACK_MS:
            return
