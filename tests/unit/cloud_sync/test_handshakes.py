"""Reasons of refused handshakes, from the lines that gRPC's library writes; real ones go through test_refusals.py."""

from __future__ import annotations

import pytest

from cloud_sync.rpc.handshakes import reason_in

LINE = "I1129 16:15:16.603165    7618 ssl_transport_security.cc:2563] Handshake failed with error SSL_ERROR_SSL: error:"
WHERE = "1000007d:SSL routines:OPENSSL_internal:"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("CERTIFICATE_VERIFY_FAILED: certificate has expired", "certificate_expired"),
        ("CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", "certificate_not_yet_valid"),
        ("CERTIFICATE_VERIFY_FAILED: unsupported certificate purpose", "certificate_wrong_use"),
        ("CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate", "certificate_unknown"),
        ("CERTIFICATE_VERIFY_FAILED: self signed certificate", "certificate_unknown"),
        ("CERTIFICATE_VERIFY_FAILED", "certificate_unknown"),
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE: Invalid certificate verification context", "no_certificate"),
        ("WRONG_VERSION_NUMBER: Invalid certificate verification context", "not_tls"),
        ("UNSUPPORTED_PROTOCOL: x", "tls_too_old"),
        ("BAD_SIGNATURE: x", "bad_signature"),
        ("SOMETHING_NEW: x", "handshake_failed"),
    ],
)
def test_a_line_of_a_refused_handshake(told: str, reason: str) -> None:
    assert reason_in(f"{LINE}{WHERE}{told}".encode()) == reason


@pytest.mark.parametrize(
    "line", [b"", b"E1129 No match found for server name: other", b'{"level":"info"}', b"\xff"]
)
def test_any_other_line_tells_of_none(line: bytes) -> None:
    assert reason_in(line) == ""
