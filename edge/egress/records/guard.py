"""Decides what may leave. Denies by default: what no schema of edge/egress/records/schemas.py describes stays here.

Today nothing that holds text has a schema. A refused row is the caller's to replace by its tombstone
(`tombstone`), so that sequences stay without gaps and nothing behind it waits. No sockets, no files.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass

from pydantic import ValidationError

from core.errors import RefusedByPolicy
from core.signing import canonical_json
from edge.egress import metrics
from edge.egress.envelope import (
    ENVELOPE_BYTES_MAX,
    ENVELOPE_ROWS_MAX,
    IDENTIFIER_BYTES,
    Envelope,
    Purpose,
    seal,
)
from edge.egress.fetch import wanted as fetch_wanted
from edge.egress.records import wire
from edge.egress.records.schemas import RECORDS, REFUSED_KIND, Batch, Frame, Row
from edge.store.outbox import OutboxRow

# A record is small; the largest, a telemetry bucket with every cell, has under 2 KiB.
PAYLOAD_BYTES_MAX = 16 * 1024
_RECORD_FRAMES = frozenset({"outbox_batch", "reported_state"})


class GuardRefused(RefusedByPolicy):
    """A frame is not what its schema allows."""

    code = "egress_refused"
    title = "The guard stopped something at the way out"
    remedy = "Nothing left the site. Report this: a part of the node tried to send what it may not."


@dataclass(frozen=True)
class Refusal:
    """Why a row may not leave, as a short code."""

    reason: str


class Guard:
    """Checks rows and frames; the only one in the node who can seal."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def check(self, row: OutboxRow) -> Row | Refusal:
        """The row as it may leave, or why it may not."""
        reason = refusal_of(row.kind, row.payload, row.payload_hash)
        if reason:
            metrics.REFUSED.labels(reason).inc()
            return Refusal(reason)
        return Row(
            sequence=row.sequence,
            outbox_class=int(row.outbox_class),
            kind=row.kind,
            payload=row.payload,
            payload_hash=row.payload_hash,
            created_ms=row.created_ms,
        )

    def seal(self, frame: Frame) -> Envelope:
        """The frame in a sealed envelope. Raises GuardRefused."""
        if isinstance(frame, Batch):
            self._recheck(frame)
        kind = wire.kind_of(frame)
        payload = wire.to_bytes(frame)
        if len(payload) > ENVELOPE_BYTES_MAX:
            raise self._refused("size")
        purpose = Purpose.RECORDS if kind in _RECORD_FRAMES else Purpose.FRAMING
        rows = len(frame.rows) if isinstance(frame, Batch) else 0
        return seal(Envelope(os.urandom(IDENTIFIER_BYTES), purpose, kind, payload, rows), self._key)

    def seal_fetch(self, wanted: fetch_wanted.Wanted) -> Envelope:
        """A request for what the node updates itself from, in a sealed envelope."""
        kind, payload = fetch_wanted.kind_of(wanted), fetch_wanted.to_bytes(wanted)
        return seal(Envelope(os.urandom(IDENTIFIER_BYTES), Purpose.FETCH, kind, payload), self._key)

    def _recheck(self, batch: Batch) -> None:
        """A Batch can be built by anyone: what is sealed is what was checked here, not elsewhere."""
        if not 0 < len(batch.rows) <= ENVELOPE_ROWS_MAX:
            raise self._refused("rows")
        for row in batch.rows:
            if reason := refusal_of(row.kind, row.payload, row.payload_hash):
                raise self._refused(reason)

    def _refused(self, reason: str) -> GuardRefused:
        metrics.REFUSED.labels(reason).inc()
        return GuardRefused(f"Refused: {reason}.")


def refusal_of(kind: str, payload: bytes, payload_hash: bytes) -> str:
    """Why a record may not leave, or "" if it may. Pure."""
    schema = RECORDS.get(kind)
    if schema is None:
        return "kind"
    if len(payload) > PAYLOAD_BYTES_MAX:
        return "size"
    if hashlib.sha256(payload).digest() != payload_hash:
        return "hash"
    try:
        # Two keys of the same name, or blanks, could carry what the parsed value does not show.
        if canonical_json(json.loads(payload)) != payload:
            return "canonical"
        schema.model_validate_json(payload)
    except ValidationError:
        return "schema"
    except (ValueError, RecursionError):
        return "json"
    return ""


def tombstone(row: OutboxRow, refusal: Refusal) -> OutboxRow:
    """What leaves in the place of a refused row: its sequence, its class, why, and how big it was."""
    payload = canonical_json({"reason": refusal.reason, "bytes": len(row.payload)})
    digest = hashlib.sha256(payload).digest()
    return OutboxRow(row.sequence, row.outbox_class, REFUSED_KIND, payload, digest, row.created_ms)
