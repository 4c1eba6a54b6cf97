"""Counters of the way out, in the node's process."""

from __future__ import annotations

from prometheus_client import Counter

BYTES = Counter(
    "postern_egress_bytes", "Bytes handed to the channel to the cloud, by kind of frame", ["kind"]
)
REFUSED = Counter("postern_egress_refused", "What was stopped at the way out, by reason", ["reason"])
UNEXPLAINED = Counter(
    "postern_egress_unexplained_bytes",
    "Bytes of the courier's user that the kernel counted and the ledger does not explain",
)
LAN_BYTES = Counter(
    "postern_lan_bytes", "Bytes of text handed to servers of the site's own network", ["service"]
)
RECOGNISED = Counter(
    "postern_overflow_recognised",
    "Personal values that the control plane recognised in what the guard had let out, by type",
    ["type"],
)
