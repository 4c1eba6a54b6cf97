"""How much may wait for the control plane."""

from __future__ import annotations

from pydantic import Field

from edge.config.section import Section


class OutboxSection(Section):
    """How much of each class may wait for the control plane, MiB. A site writes some 10 KiB a day."""

    # What nothing else may take, and nothing is dropped of: when it is full, what must be told is refused.
    audit_mb: int = Field(default=64, ge=1, le=4096)
    # Past these the oldest make way.
    state_mb: int = Field(default=32, ge=1, le=4096)
    metrics_mb: int = Field(default=32, ge=1, le=4096)
