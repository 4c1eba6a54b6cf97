"""Whether a node may connect: it is known, not revoked, and shows the certificate that it was given last.

A certificate that was renewed comes into use when the node shows it for the first time; until then the older one holds.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.nodes import ACTIVE, NodeRow, get_node, use_certificate
from core.errors import PosternError


class NodeRefused(PosternError):
    """The certificate is genuine, but its node may not connect."""

    code = "node_refused"
    title = "The node may not connect"
    remedy = "Enrol it again with a new one-time code."
    status = 401


class NodeUnknown(NodeRefused):
    """Nobody enrolled it here."""

    code = "node_unknown"


class CertificateReplaced(NodeRefused):
    """The node was enrolled again since, or another machine took its place."""

    code = "certificate_replaced"
    remedy = (
        "If the node does not connect with its newer certificate, enrol it again with a new one-time code."
    )


class NodeRevoked(NodeRefused):
    """An admin revoked the node."""

    code = "node_revoked"
    title = "The node was revoked"


def admit(connection: sa.Connection, node_id: str, fingerprint: bytes, now: datetime) -> None:
    """Admit a node by the certificate it showed to TLS. Raises NodeUnknown, NodeRevoked, CertificateReplaced."""
    node = holder(connection, node_id, fingerprint)
    expires = node.next_certificate_expires
    if node.certificate_fingerprint != fingerprint and expires is not None:
        use_certificate(connection, node_id, fingerprint, expires)
        detail = f"valid until {expires:%Y-%m-%d %H:%M} UTC"
        add_audit(connection, AuditRow(now, node_id, "certificate.used", node_id, detail))


def holder(connection: sa.Connection, node_id: str, fingerprint: bytes) -> NodeRow:
    """The node, if the certificate is its own, in use or offered. Raises as `admit`; changes nothing."""
    node = get_node(connection, node_id)
    if node is None:
        raise NodeUnknown("The control plane does not know this node.")
    if node.status != ACTIVE:
        raise NodeRevoked("An admin revoked this node.")
    if fingerprint not in (node.certificate_fingerprint, node.next_certificate_fingerprint):
        raise CertificateReplaced("The node has a newer certificate than this one.")
    return node
