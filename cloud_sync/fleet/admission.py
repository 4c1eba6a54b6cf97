"""Whether a node may connect: it is known, not revoked, and shows the certificate that it was given last.

A certificate that was renewed comes into use when the node shows it for the first time; until then the older one holds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from cloud_sync.store.audit import AuditRow, add_audit
from cloud_sync.store.incarnation import current_incarnation
from cloud_sync.store.nodes import ACTIVE, NodeRow, get_node, use_certificate
from core.errors import PosternError

# Certificates have whole seconds.
ISSUED_ROUNDED: Final = timedelta(seconds=1)


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


class CertificateExpired(NodeRefused):
    """It ended after TLS had let the node in."""

    code = "certificate_expired"
    title = "The node's certificate has expired"
    remedy = "The node renews it by itself when it connects anew."


class NodeRevoked(NodeRefused):
    """An admin revoked the node."""

    code = "node_revoked"
    title = "The node was revoked"


def admit(connection: sa.Connection, node_id: str, fingerprint: bytes, now: datetime) -> None:
    """Admit a node by the certificate it showed to TLS.

    Raises NodeUnknown, NodeRevoked, CertificateReplaced, CertificateExpired.
    """
    node = holder(connection, node_id, fingerprint)
    offered = node.certificate_fingerprint != fingerprint
    expires = node.next_certificate_expires if offered else node.certificate_expires
    check_holds(expires, now)
    if offered and expires is not None:
        use_certificate(connection, node_id, fingerprint, expires)
        detail = f"valid until {expires:%Y-%m-%d %H:%M} UTC"
        add_audit(connection, AuditRow(now, node_id, "certificate.used", node_id, detail))


def check_holds(expires: datetime | None, now: datetime) -> None:
    """TLS looks at a certificate's end in the handshake alone, and connections last. Raises CertificateExpired."""
    if expires is not None and now > expires:
        raise CertificateExpired("The certificate has expired since the node connected.")


def adopt(
    connection: sa.Connection,
    node_id: str,
    fingerprint: bytes,
    times: tuple[datetime, datetime],
    now: datetime,
) -> None:
    """After a restore, know again the certificate that a node was given since the backup, of which nothing is left.

    The caller has verified that it is of our authority; `times` are when it was issued and when it expires. Only a
    newer one than those that are known: what was replaced before the backup stays out.
    """
    node, life = get_node(connection, node_id), current_incarnation(connection)
    if node is None or node.status != ACTIVE or life is None:
        return
    known = (node.certificate_fingerprint, node.next_certificate_fingerprint)
    issued, expires = times
    since_backup = life.made_at - ISSUED_ROUNDED <= issued <= life.restored_at
    if fingerprint in known or not since_backup or expires <= node.certificate_expires:
        return
    use_certificate(connection, node_id, fingerprint, expires)
    detail = f"given out between a backup and its restore, valid until {expires:%Y-%m-%d %H:%M} UTC"
    add_audit(connection, AuditRow(now, node_id, "certificate.adopted", node_id, detail))


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
