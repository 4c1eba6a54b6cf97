"""The egress ledger: a Merkle log of leaves, durable before what they announce is sent (ADR 67).

`tree` and `notes` are the pure rules that outsiders check it by, `log` its one writer, `reading` everybody else.
"""

from __future__ import annotations

from edge.egress.ledger.errors import LedgerBroken, LedgerFailed, LedgerInUse, NoLedger, WitnessRefused
from edge.egress.ledger.leaf_types import Draft, Leaf, Value

__all__ = [
    "Draft",
    "Leaf",
    "LedgerBroken",
    "LedgerFailed",
    "LedgerInUse",
    "NoLedger",
    "Value",
    "WitnessRefused",
]
