"""What the end of a call to the control plane is called on the courier's socket (OverflowFailed, FetchEnded)."""

from __future__ import annotations

from typing import Final

import grpc

from edge.egress.courier.handshake import REFUSED
from edge.egress.courier.proxy import UNREACHABLE

CUT: Final = "cut"
"""It ended in between, or for a reason that has no name of its own."""

_CODES: Final = {
    grpc.StatusCode.DEADLINE_EXCEEDED: "late",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "busy",
    grpc.StatusCode.INVALID_ARGUMENT: "kind",
    grpc.StatusCode.UNAVAILABLE: UNREACHABLE,
    grpc.StatusCode.UNAUTHENTICATED: REFUSED,
    grpc.StatusCode.PERMISSION_DENIED: REFUSED,
    grpc.StatusCode.UNIMPLEMENTED: REFUSED,
}


def code_of(status: grpc.StatusCode) -> str:
    """Of a call that failed."""
    return _CODES.get(status, CUT)
