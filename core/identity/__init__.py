"""Who is who between node and control plane: one-time codes, keys, certificates. No TLS set-up, no files."""

from __future__ import annotations

from core.identity.certificates import (
    CONTROL_PLANE_TARGET_NAME,
    ENROLMENT_TARGET_NAME,
    NODE_URI_PREFIX,
    Authority,
    Credential,
    authority_from,
    certificate_fingerprint,
    certificate_times,
    check_node_id,
    create_ca,
    create_enrolment_certificate,
    create_server_certificate,
    issue_node_certificate,
    node_id_from_certificate,
    public_key_hash,
    read_certificate,
)
from core.identity.codes import EnrolmentCode, new_code, new_secret, parse_code
from core.identity.errors import InvalidCertificate, InvalidCode, InvalidNodeId, InvalidSigningRequest
from core.identity.keys import create_signing_request, key_from_pem, key_to_pem, new_key
from core.identity.possession import NONCE_BYTES, check_issued_by, check_possession, prove_possession

__all__ = [
    "CONTROL_PLANE_TARGET_NAME",
    "ENROLMENT_TARGET_NAME",
    "NODE_URI_PREFIX",
    "NONCE_BYTES",
    "Authority",
    "Credential",
    "EnrolmentCode",
    "InvalidCertificate",
    "InvalidCode",
    "InvalidNodeId",
    "InvalidSigningRequest",
    "authority_from",
    "certificate_fingerprint",
    "certificate_times",
    "check_issued_by",
    "check_node_id",
    "check_possession",
    "create_ca",
    "create_enrolment_certificate",
    "create_server_certificate",
    "create_signing_request",
    "issue_node_certificate",
    "key_from_pem",
    "key_to_pem",
    "new_code",
    "new_key",
    "new_secret",
    "node_id_from_certificate",
    "parse_code",
    "prove_possession",
    "public_key_hash",
    "read_certificate",
]
