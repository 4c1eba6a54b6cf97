"""How much a node may send that is not committed yet. Pure.

What all nodes together may have under way is bounded, so that a fleet that comes back with full outboxes fits the
memory; a node alone gets what keeps the database busy while the next batches are on their way.
"""

from __future__ import annotations

from dataclasses import dataclass

# Of all uploads of this process: a tenth of the memory of a small machine.
ALL_BYTES_MAX = 256 * 2**20
# Of one upload. 16 batches: what the node's courier holds in its lane.
ROWS_MAX = 4096
BYTES_MAX = 4 * 2**20
# A quarter of a batch: even in a crowd a transaction carries several rows.
ROWS_MIN = 64
BYTES_MIN = 64 * 2**10
# What a row costs in memory beside its payload.
ROW_BYTES = 1024
# Of what an upload has under way on the wire, with what surrounds the payloads; a row more than the credit may come.
WIRE_BYTES_MAX = BYTES_MAX + (ROWS_MAX + 1) * ROW_BYTES


@dataclass(frozen=True)
class Credit:
    """Of one upload, from now on."""

    rows: int
    bytes: int


def grant(uploads: int) -> Credit:
    """What each of `uploads` open uploads may have under way."""
    share = ALL_BYTES_MAX // max(1, uploads)
    return Credit(
        rows=min(ROWS_MAX, max(ROWS_MIN, share // (2 * ROW_BYTES))),
        bytes=min(BYTES_MAX, max(BYTES_MIN, share // 2)),
    )
