"""Tests of Postern, by tier: unit, contract, integration, browser, chaos; benches beside them."""

from __future__ import annotations

from core import no_telemetry as no_telemetry
