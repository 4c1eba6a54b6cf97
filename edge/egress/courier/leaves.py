"""The two leaves of an envelope in the ledger: what goes where and why, and how that ended. Pure."""

from __future__ import annotations

import os

from edge.egress.envelope import SALT_BYTES, Envelope, commitment
from edge.egress.ledger import Draft, Value

PROTOCOL = "protocol"
"""Verdict on the courier's own words, which no guard has seen: what its protocol asks of it."""


def intent_of(envelope: Envelope, destination: str) -> Draft:
    """Durable before the first byte."""
    return _intent(
        envelope.identifier,
        destination,
        envelope.kind,
        len(envelope.payload),
        rows=envelope.rows,
        policy=envelope.policy.hex(),
        verdict=envelope.verdict,
        commitment=commitment(envelope.salt, envelope.payload),
    )


def own_intent(identifier: bytes, destination: str, kind: str, payload: bytes) -> Draft:
    """For what is no envelope: the courier's own words. Their salt is forgotten at once, for they may be secret."""
    return _intent(
        identifier,
        destination,
        kind,
        len(payload),
        rows=0,
        policy="",
        verdict=PROTOCOL,
        commitment=commitment(os.urandom(SALT_BYTES), payload),
    )


def _intent(identifier: bytes, destination: str, kind: str, size: int, **fields: Value) -> Draft:
    return Draft(
        "intent",
        {"envelope": identifier.hex(), "destination": destination, "kind": kind, "bytes": size, **fields},
    )


def close_of(
    envelope: Envelope, outcome: str, destination_key: str, tokens_up: int = 0, tokens_down: int = 0
) -> Draft:
    """`outcome`: written, failed (some of it may have left) or not_sent. Tokens: of a text and its answer, as the
    control plane counted them."""
    sent = len(envelope.payload) if outcome == "written" else 0
    return close(envelope.identifier, outcome, sent, destination_key, tokens_up, tokens_down)


def close(
    identifier: bytes,
    outcome: str,
    sent: int,
    destination_key: str,
    tokens_up: int = 0,
    tokens_down: int = 0,
) -> Draft:
    """`sent`: bytes. `destination_key`: of `edge.egress.identity.identity.Identity.destination_key`."""
    return Draft(
        "close",
        {
            "envelope": identifier.hex(),
            "outcome": outcome,
            "bytes": sent,
            "destination_key": destination_key,
            "tokens_up": tokens_up,
            "tokens_down": tokens_down,
        },
    )
