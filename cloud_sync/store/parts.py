"""Long lists of identifiers in statements of a bounded length."""

from __future__ import annotations

from collections.abc import Collection, Iterator

# Parameters of one statement. SQLite takes 32,766 and PostgreSQL 65,535; beyond some thousands nothing is gained.
IDS_AT_A_TIME = 5_000


def in_parts(ids: Collection[str]) -> Iterator[list[str]]:
    """The identifiers in order, IDS_AT_A_TIME at most at a time."""
    whole = sorted(ids)
    for first in range(0, len(whole), IDS_AT_A_TIME):
        yield whole[first : first + IDS_AT_A_TIME]
