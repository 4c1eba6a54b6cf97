"""The leaves: what each type says, and the one byte form of each. Pure.

No text of anyone: identifiers, sizes, kinds, hashes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from core.signing import canonical_json
from edge.egress.ledger.errors import LedgerBroken

Value = str | int
_COMPARED: Final = frozenset(
    {"from_ms", "to_ms", "from_entry", "kernel_bytes", "kernel_packets", "header_bytes", "received_bytes"}
    | {"attempts", "connections", "frames", "frame_bytes"}
    | {"ledger_bytes", "framing_bytes", "unexplained_bytes", "other_bytes", "other_packets"}
    | {"others_sent_bytes", "lan_bytes"}
)
"""A time, and what it is compared by; see `edge.egress.reconciliation.framing`."""
# What each type of leaf says, beside time_ms and type. `envelope` pairs what opens with what closes.
LEAF_FIELDS: Final[dict[str, frozenset[str]]] = {
    "begin": frozenset({"key", "software", "previous", "lost"}),
    "link": frozenset({"envelope", "destination"}),
    "link_close": frozenset({"envelope", "outcome", "attempts", "frames", "bytes", "destination_key"}),
    "intent": frozenset(
        {"envelope", "destination", "kind", "rows", "bytes", "policy", "verdict", "commitment"}
    ),
    "close": frozenset({"envelope", "outcome", "bytes", "destination_key", "tokens_up", "tokens_down"}),
    "reconciled": _COMPARED,
    "discrepancy": _COMPARED,
}
OPENS: Final = {"link": "link_close", "intent": "close"}
"""What must be closed again, and by what."""
CLOSES: Final = frozenset(OPENS.values())
# Of an entry: a leaf has about 450.
ENTRY_BYTES_MAX: Final = 4096
_NAMES: Final = {"time_ms", "type"}
# What a value may be: of what is outside the verifier (edge/egress/verify.py) says for good that the record is wrong.
_ID: Final = re.compile(r"[0-9a-f]{32}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HASH_OR_NONE: Final = re.compile(r"(?:[0-9a-f]{64})?")
_CODE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_TEXT: Final = re.compile(r'[^"\\\x00-\x1f\x7f]{1,255}')
_TEXTS: Final = {
    "envelope": _ID,
    "key": _HASH,
    "commitment": _HASH,
    "previous": _HASH_OR_NONE,
    "policy": _HASH_OR_NONE,
    "destination_key": _HASH_OR_NONE,
    "kind": _CODE,
    "verdict": _CODE,
    "outcome": _CODE,
    "software": _TEXT,
    "destination": _TEXT,
}
"""By field; any other one is a number."""
_OUTCOME: Final = re.compile(r"written|failed|not_sent|unknown")
"""Of an envelope; a connection ends for many reasons."""
_NUMBER_END: Final = 10**16


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
    """The bytes of a leaf. Raises ValueError for other fields than those of its type, and values out of bounds."""
    for name, value in {**draft.fields, "time_ms": time_ms}.items():
        if not _fits(draft.type, name, value):
            raise ValueError(f"a leaf of type {draft.type} cannot hold this {name}")
    return _entry(draft, time_ms)


def _fits(kind: str, name: str, value: Value) -> bool:
    if form := _OUTCOME if (kind, name) == ("close", "outcome") else _TEXTS.get(name):
        return isinstance(value, str) and form.fullmatch(value) is not None
    return type(value) is int and 0 <= value < _NUMBER_END


def _entry(draft: Draft, time_ms: int) -> bytes:
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
        whole = _entry(Draft(leaf.type, fields), leaf.time_ms) == entry
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
