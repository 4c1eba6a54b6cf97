"""Certificates and signing requests that nothing of ours would make, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core import identity
from core.identity import Authority, Credential

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
NOBODY = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody")])


@dataclass(frozen=True)
class Wish:
    """What the certificate is to say."""

    names: Sequence[x509.GeneralName]
    use: x509.ObjectIdentifier = CLIENT
    since: datetime | None = None
    until: datetime | None = None


def node_name(node_id: str) -> x509.GeneralName:
    return x509.UniformResourceIdentifier(f"{identity.NODE_URI_PREFIX}{node_id}")


def control_plane_name() -> x509.GeneralName:
    return x509.DNSName(identity.CONTROL_PLANE_TARGET_NAME)


def forged(wish: Wish, issuer: Authority | None = None) -> Credential:
    """A key and a certificate; without an issuer it is signed by itself."""
    key, now = identity.new_key(), datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(NOBODY)
        .issuer_name(issuer.certificate.subject if issuer else NOBODY)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wish.since or now - DAY)
        .not_valid_after(wish.until or now + DAY)
        .add_extension(x509.SubjectAlternativeName(wish.names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([wish.use]), critical=False)
    )
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Credential(identity.key_to_pem(key), certificate.public_bytes(serialization.Encoding.PEM))


def expired(names: Sequence[x509.GeneralName], use: x509.ObjectIdentifier = CLIENT) -> Wish:
    now = datetime.now(UTC)
    return Wish(names, use, now - 2 * DAY, now - DAY)


def not_yet_valid(names: Sequence[x509.GeneralName], use: x509.ObjectIdentifier = CLIENT) -> Wish:
    now = datetime.now(UTC)
    return Wish(names, use, now + DAY, now + 2 * DAY)


def issued_by_a_leaf(wish: Wish, leaf: Credential) -> Credential:
    """A certificate that somebody signed with a certificate that may sign none; with its chain."""
    key = identity.key_from_pem(leaf.key_pem)
    made = forged(wish, Authority(key, identity.read_certificate(leaf.certificate_pem)))
    return Credential(made.key_pem, made.certificate_pem + leaf.certificate_pem)


def signature_changed(credential: Credential) -> Credential:
    """The last byte of the certificate, which is its signature's, is another one."""
    der = bytearray(
        identity.read_certificate(credential.certificate_pem).public_bytes(serialization.Encoding.DER)
    )
    der[-1] ^= 1
    body = x509.load_der_x509_certificate(bytes(der)).public_bytes(serialization.Encoding.PEM)
    return Credential(credential.key_pem, body)


def request_of_rsa() -> bytes:
    """A signing request for a key of another kind."""
    return _request(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def request_not_of_its_key() -> bytes:
    """A signing request whose signature was made by nobody."""
    der = bytearray(_request(identity.new_key()))
    der[-1] ^= 1
    return bytes(der)


def _request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
