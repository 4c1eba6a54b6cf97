"""The two leaves of an envelope in the ledger: what goes where, and how that ended. Pure."""

from __future__ import annotations

import hashlib

from edge.egress.envelope import Envelope
from edge.egress.ledger import Draft


def payload_hash(identifier: bytes, payload: bytes) -> str:
    """Hash in the ledger: salted by the envelope's random identifier, so that equal payloads do not show as equal."""
    return hashlib.sha256(identifier + payload).hexdigest()


def intent_of(envelope: Envelope, destination: str) -> Draft:
    """Durable before the first byte."""
    return intent(envelope.identifier, destination, envelope.kind, envelope.payload, envelope.rows)


def close_of(envelope: Envelope, outcome: str) -> Draft:
    """`outcome`: written, failed (some of it may have left) or not_sent."""
    return close(envelope.identifier, outcome, len(envelope.payload) if outcome == "written" else 0)


def intent(identifier: bytes, destination: str, kind: str, payload: bytes, rows: int = 0) -> Draft:
    """For what is no envelope: the courier's own words."""
    return Draft(
        "intent",
        {
            "envelope": identifier.hex(),
            "destination": destination,
            "kind": kind,
            "rows": rows,
            "bytes": len(payload),
            "payload_hash": payload_hash(identifier, payload),
        },
    )


def close(identifier: bytes, outcome: str, sent: int) -> Draft:
    """`sent`: bytes."""
    return Draft("close", {"envelope": identifier.hex(), "outcome": outcome, "bytes": sent})
