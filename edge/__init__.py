"""All that runs at the site."""

from __future__ import annotations

from core import no_telemetry as no_telemetry
