"""Schemas of all that may leave without being text: numbers, enumerations, identifiers and codes, each bounded.

A new kind of record is a new class here and an entry in RECORDS; what has none does not leave. No I/O.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.store.counters import CELLS, SMALLEST_CELL
from edge.store.outbox_quotas import GAP_KIND

# SQLite's and protobuf's signed 64 bit.
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Small = Annotated[int, Field(ge=0, le=2**31 - 1)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9_.:-]{0,64}$")]
Version = Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+-]{0,31}$")]
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Device = Annotated[str, Field(pattern=r"^[A-Z0-9_.:]{1,16}$")]
Runtime = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Epoch = Annotated[bytes, Field(min_length=16, max_length=16)]
# Reasons for running weaker than asked, each "component:reason": there are few components.
FALLBACKS_MAX = 16
MODELS_MAX = 16


class Strict(BaseModel):
    """No conversions, no unknown fields, no NaN, no changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class TelemetryBucket(Strict):
    """Counts of a finished bucket; what is not in it is fewer than five, or none."""

    start_s: Count
    length_s: Literal[10, 60, 3600]
    counts: dict[str, dict[str, Annotated[Count, Field(ge=SMALLEST_CELL)]]]

    @model_validator(mode="after")
    def _known_cells(self) -> TelemetryBucket:
        for name, cells in self.counts.items():
            if not cells.keys() <= CELLS.get(name, frozenset()):
                raise ValueError("unknown counter")
        return self


class KnowledgeChanged(Strict):
    """How much the site knows now, and how often that has changed; no names, no titles."""

    documents: Count
    chunks: Count
    generation: Count = 0
    added: Count = 0
    changed: Count = 0
    removed: Count = 0


class NodeStarted(Strict):
    """The node came up."""

    software_version: Version


class ModelActive(Strict):
    """A model began to serve."""

    name: ModelName
    version: Version
    runtime: Runtime
    device: Device
    sha256: Digest | None = None


class DesiredResult(Strict):
    """What became of a generation of the desired state."""

    generation: Count
    state: Literal["applied", "rejected"]
    field: Code = ""
    reason: Code = ""


class UpdateStep(Strict):
    """How far a node is with something that it was told to run."""

    rollout: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    kind: Literal["model", "knowledge", "policy", "software"]
    name: ModelName
    version: Version
    step: Literal["fetch", "verify", "stage", "gate", "activate", "watch", "keep", "roll_back"]
    outcome: Literal["begun", "done", "failed"]
    # Why it failed, or why it is going back.
    reason: Code = ""
    # Of the gate, in thousandths, and what it asks for; latency is that of a pass, in microseconds.
    golden_permille: Count | None = None
    golden_permille_min: Count | None = None
    agreement_permille: Count | None = None
    agreement_permille_min: Count | None = None
    cosine_permille: Count | None = None
    cosine_permille_min: Count | None = None
    cosine_least_permille: Count | None = None
    cosine_least_permille_min: Count | None = None
    latency_us: Count | None = None
    latency_us_max: Count | None = None
    # Of the fetch: what came over the line, and what was here before.
    bytes_fetched: Count | None = None
    bytes_present: Count | None = None


class OutboxRefused(Strict):
    """Stands for a row that the guard or the control plane refused, so that its sequence is not missing."""

    reason: Literal["kind", "schema", "json", "canonical", "size", "hash", "other"]
    bytes: Count


class OutboxGap(Strict):
    """Stands for rows that were dropped, from `first` to its own sequence, `last`."""

    first: Annotated[int, Field(ge=1, le=2**63 - 1)]
    last: Annotated[int, Field(ge=1, le=2**63 - 1)]
    # Of their payloads.
    bytes: Count
    outbox_class: Literal["audit", "state", "metrics", "mixed"]
    reason: Literal["quota"]


REFUSED_KIND = "outbox.refused"
RECORDS: dict[str, type[Strict]] = {
    "telemetry.bucket": TelemetryBucket,
    "knowledge.changed": KnowledgeChanged,
    "node.started": NodeStarted,
    "model.active": ModelActive,
    "desired.result": DesiredResult,
    "update.step": UpdateStep,
    REFUSED_KIND: OutboxRefused,
    GAP_KIND: OutboxGap,
}


class Hello(Strict):
    """First frame of a link."""

    software_version: Version
    applied_generation: Count
    applied_hash: Annotated[bytes, Field(max_length=32)]


class Heartbeat(Strict):
    """Alive, and how busy, in tens of a percent."""

    number: Count
    queue_percent: Annotated[int, Field(ge=0, le=100, multiple_of=10)]
    outbox_rows: Count
    outbox_oldest_seconds: Count
    fallbacks: Annotated[tuple[Code, ...], Field(max_length=FALLBACKS_MAX)] = ()
    disk_free_percent: Annotated[int, Field(ge=0, le=100, multiple_of=10)] | None = None


class ModelState(Strict):
    """One serving model."""

    name: ModelName
    version: Version
    runtime: Runtime
    device: Device


class ReportedState(Strict):
    """What the node runs by."""

    observed_generation: Count
    applied_generation: Count
    rejected_field: Code
    rejected_reason: Code
    models: Annotated[tuple[ModelState, ...], Field(max_length=MODELS_MAX)]
    documents: Count
    chunks: Count
    devices_online: Small
    software_version: Version


class Row(Strict):
    """One row of the outbox, already checked by the guard."""

    sequence: Annotated[int, Field(ge=1, le=2**63 - 1)]
    outbox_class: Annotated[int, Field(ge=1, le=3)]
    kind: Code
    payload: bytes
    payload_hash: Annotated[bytes, Field(min_length=32, max_length=32)]
    created_ms: Count


def first_of(row: Row) -> int:
    """The first sequence that a row stands for: its own, but for a gap record."""
    return OutboxGap.model_validate_json(row.payload).first if row.kind == GAP_KIND else row.sequence


class UploadOpen(Strict):
    """First frame of an upload."""

    epoch: Epoch
    stream_generation: Count
    oldest_sequence: Count
    newest_sequence: Count


class Batch(Strict):
    """Rows in order."""

    epoch: Epoch
    rows: tuple[Row, ...]


Frame = Hello | Heartbeat | ReportedState | UploadOpen | Batch
