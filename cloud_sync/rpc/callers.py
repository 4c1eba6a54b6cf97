"""Who calls: what TLS says of the other end, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.identity import certificate_fingerprint, certificate_times, node_id_from_certificate


@dataclass(frozen=True)
class Caller:
    """A node, by the certificate that TLS has verified."""

    node_id: str
    fingerprint: bytes
    issued: datetime
    expires: datetime


def caller_of(context: Any) -> Caller:
    """The node at the other end of a gRPC call. Raises InvalidCertificate."""
    certificates = context.auth_context().get("x509_pem_cert", ())
    pem = bytes(next(iter(certificates), b""))
    return Caller(node_id_from_certificate(pem), certificate_fingerprint(pem), *certificate_times(pem))


def address_of(peer: str) -> str:
    """`ipv4:192.0.2.1:5555` without the port, which is another one each time."""
    return peer.rpartition(":")[0]
