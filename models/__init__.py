"""What a model is, and how one is built, gated and run. Knows nothing of customers, documents or the network."""

from __future__ import annotations

from core import no_telemetry as no_telemetry
