"""Gauges of the sync with the control plane, in the node's process."""

from __future__ import annotations

from prometheus_client import Gauge

OUTBOX_ROWS = Gauge("postern_outbox_rows", "Rows that wait for the control plane")
OUTBOX_OLDEST_SECONDS = Gauge("postern_outbox_oldest_seconds", "Age of the oldest row that waits, seconds")
OUTBOX_BYTES = Gauge(
    "postern_outbox_bytes", "Bytes of rows that wait for the control plane, by class", ["class"]
)
CONNECTED = Gauge("postern_sync_connected", "1 while the control plane has welcomed this node's stream")
CERTIFICATE_EXPIRES_SECONDS = Gauge(
    "postern_certificate_expires_seconds",
    "Until the site's certificate towards its control plane ends; below zero once it has",
)
