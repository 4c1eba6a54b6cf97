"""The leaves: what each type says, and the one byte form of each. Pure.

No text of anyone: identifiers, sizes, kinds, hashes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.signing import canonical_json
from edge.egress.ledger.errors import LedgerBroken

Value = str | int
# What each type of leaf says, beside time_ms and type. `envelope` pairs what opens with what closes.
LEAF_FIELDS: Final[dict[str, frozenset[str]]] = {
    "begin": frozenset({"key", "software", "previous"}),
    "link": frozenset({"envelope", "destination"}),
    "link_close": frozenset({"envelope", "outcome", "attempts", "frames", "bytes", "destination_key"}),
    "intent": frozenset(
        {"envelope", "destination", "kind", "rows", "bytes", "policy", "verdict", "commitment"}
    ),
    "close": frozenset({"envelope", "outcome", "bytes", "destination_key", "tokens_up", "tokens_down"}),
}
OPENS: Final = {"link": "link_close", "intent": "close"}
"""What must be closed again, and by what."""
# Of an entry: a leaf has about 450.
ENTRY_BYTES_MAX: Final = 4096
_NAMES: Final = {"time_ms", "type"}


@dataclass(frozen=True)
class Draft:
    """A leaf to be: its type and fields."""

    type: str
    fields: Mapping[str, Value]


@dataclass(frozen=True)
class Leaf:
    """One leaf of the ledger; `index` counts from 0."""

    index: int
    time_ms: int
    type: str
    fields: Mapping[str, Value]


def entry_of(draft: Draft, time_ms: int) -> bytes:
    """The bytes of a leaf. Raises ValueError for other fields than those of its type."""
    if draft.fields.keys() != LEAF_FIELDS[draft.type]:
        raise ValueError(f"wrong fields for a leaf of type {draft.type}")
    entry = canonical_json({"time_ms": time_ms, "type": draft.type, **draft.fields})
    if len(entry) > ENTRY_BYTES_MAX:
        raise ValueError(f"a leaf of type {draft.type} is too long")
    return entry


def leaf_of(index: int, entry: bytes) -> Leaf:
    """The leaf of these bytes. Raises LedgerBroken for what no ledger of ours holds."""
    try:
        body = json.loads(entry)
        fields = {name: value for name, value in body.items() if name not in _NAMES}
        leaf = Leaf(index, body["time_ms"], body["type"], fields)
        whole = entry_of(Draft(leaf.type, fields), leaf.time_ms) == entry
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise LedgerBroken(f"Leaf {index} is not one that a ledger of ours holds.")
    return leaf


def ended_unknown(envelope: str, opened: str) -> Draft:
    """Closes what was left open: the courier ended in between, and may have sent all, some or nothing."""
    fields: dict[str, Value] = {"envelope": envelope, "outcome": "unknown", "destination_key": ""}
    kind = OPENS[opened]
    fields |= dict.fromkeys(LEAF_FIELDS[kind] - fields.keys(), 0)
    return Draft(kind, fields)
