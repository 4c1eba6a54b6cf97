"""One-time codes, certificates and what may be read from them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from core import identity
from core.signing import canonical_json, content_hash

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def _authority() -> identity.Authority:
    return identity.create_ca("Test fleet", now=NOW, validity=DAY)


# --- codes ---


@given(st.binary(min_size=10, max_size=32))
def test_a_code_survives_being_written_and_read(fingerprint: bytes) -> None:
    code = identity.new_code(fingerprint)
    assert identity.parse_code(str(code)) == code
    assert code.matches(fingerprint)


def test_a_code_is_eight_groups_of_four() -> None:
    groups = str(identity.new_code(bytes(32))).split("-")
    assert [len(group) for group in groups] == [4] * 8


@pytest.mark.parametrize("typed", ["lower", "spaces", "confusable"])
def test_a_code_is_read_as_people_type_it(typed: str) -> None:
    code = identity.new_code(bytes(10))
    text = str(code)
    variants = {
        "lower": text.lower(),
        "spaces": "  " + text.replace("-", " ") + "\n",
        "confusable": text.replace("0", "o").replace("1", "l"),
    }
    assert identity.parse_code(variants[typed]) == code


@pytest.mark.parametrize("text", ["", "ABCD", "U" * 32, "0" * 31, "0" * 33, "é" * 32])
def test_what_is_not_a_code_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(identity.InvalidCode) as caught:
        identity.parse_code(text)
    assert not text or text not in caught.value.detail


def test_two_codes_differ_and_the_secret_stays_out_of_repr() -> None:
    one, two = identity.new_code(bytes(32)), identity.new_code(bytes(32))
    assert one.secret != two.secret
    assert one.secret not in repr(one)


def test_another_certificate_does_not_match_the_code() -> None:
    ours = identity.create_enrolment_certificate(now=NOW, validity=DAY)
    theirs = identity.create_enrolment_certificate(now=NOW, validity=DAY)
    code = identity.new_code(identity.certificate_fingerprint(ours.certificate_pem))
    assert code.matches(identity.certificate_fingerprint(ours.certificate_pem))
    assert not code.matches(identity.certificate_fingerprint(theirs.certificate_pem))


# --- certificates ---


def test_a_node_is_known_by_the_uri_in_its_certificate() -> None:
    request = identity.create_signing_request(identity.new_key())
    pem = identity.issue_node_certificate(_authority(), request, "node-7", now=NOW, validity=DAY)
    assert identity.node_id_from_certificate(pem) == "node-7"


def test_the_requests_subject_and_extensions_are_ignored() -> None:
    key = identity.new_key()
    claim = x509.UniformResourceIdentifier("postern://node/someone-else")
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone-else")]))
        .add_extension(x509.SubjectAlternativeName([claim]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    der = request.public_bytes(serialization.Encoding.DER)
    pem = identity.issue_node_certificate(_authority(), der, "node-7", now=NOW, validity=DAY)
    certificate = identity.read_certificate(pem)
    assert identity.node_id_from_certificate(pem) == "node-7"
    assert not list(certificate.subject)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_certificates_chain_to_the_authority_for_one_use_and_the_given_time() -> None:
    authority = _authority()
    request = identity.create_signing_request(identity.new_key())
    node = identity.issue_node_certificate(authority, request, "node-7", now=NOW, validity=DAY)
    server = identity.create_server_certificate(authority, ["10.0.0.1", "hub"], now=NOW, validity=DAY)
    uses = {node: ExtendedKeyUsageOID.CLIENT_AUTH, server.certificate_pem: ExtendedKeyUsageOID.SERVER_AUTH}
    for pem, use in uses.items():
        certificate = identity.read_certificate(pem)
        certificate.verify_directly_issued_by(authority.certificate)
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [use]
        assert certificate.not_valid_after_utc == NOW + DAY


def test_the_authority_is_read_back_whole() -> None:
    authority = _authority()
    again = identity.authority_from(authority.credential())
    assert again.certificate == authority.certificate
    mixed = identity.Credential(_authority().credential().key_pem, authority.certificate_pem)
    with pytest.raises(identity.InvalidCertificate):
        identity.authority_from(mixed)


def _rsa_request() -> bytes:
    key = rsa.generate_private_key(65537, 2048)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _other_curve_request() -> bytes:
    return identity.create_signing_request(ec.generate_private_key(ec.SECP384R1()))


def _forged_request() -> bytes:
    der = bytearray(identity.create_signing_request(identity.new_key()))
    der[-1] ^= 1
    return bytes(der)


@pytest.mark.parametrize(
    "make", [lambda: b"", lambda: b"\x30\x03abc", _rsa_request, _other_curve_request, _forged_request]
)
def test_requests_that_must_not_be_signed(make: object) -> None:
    with pytest.raises(identity.InvalidSigningRequest):
        identity.issue_node_certificate(_authority(), make(), "node-7", now=NOW, validity=DAY)  # type: ignore[operator]


@pytest.mark.parametrize("node_id", ["", "ab", "Node-7", "a/b", "-abc", "a" * 64, "näh"])
def test_identifiers_that_no_certificate_may_carry(node_id: str) -> None:
    request = identity.create_signing_request(identity.new_key())
    with pytest.raises(identity.InvalidNodeId):
        identity.issue_node_certificate(_authority(), request, node_id, now=NOW, validity=DAY)


def test_a_servers_certificate_is_no_node() -> None:
    server = identity.create_server_certificate(_authority(), [], now=NOW, validity=DAY)
    with pytest.raises(identity.InvalidCertificate):
        identity.node_id_from_certificate(server.certificate_pem)
    with pytest.raises(identity.InvalidCertificate):
        identity.node_id_from_certificate(b"nothing")


def test_keys_are_read_back_and_others_refused() -> None:
    key = identity.new_key()
    assert identity.key_from_pem(identity.key_to_pem(key)).private_numbers() == key.private_numbers()
    with pytest.raises(identity.InvalidCertificate):
        identity.key_from_pem(identity.key_to_pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(identity.InvalidCertificate):
        identity.key_from_pem(b"nothing")


# --- canonical form ---


def test_canonical_json_has_one_form() -> None:
    assert canonical_json({"b": 1, "a": [True, "ß"]}) == '{"a":[true,"ß"],"b":1}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))
    assert content_hash(b"x") == hashlib.sha256(b"x").digest()
