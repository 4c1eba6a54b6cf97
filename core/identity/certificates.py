"""The control plane's certificate authority, the certificates it issues, and what may be read from them.

Who a node is comes only from the URI `postern://node/<node_id>` among the subject alternative names. No
function here reads a clock or a file; how long a certificate is valid is always the caller's decision.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.identity.errors import InvalidCertificate, InvalidNodeId
from core.identity.keys import key_from_pem, key_to_pem, new_key, read_signing_request

# The name that the SyncService's certificate carries, whatever host and port it is reached at: the node
# trusts one CA and one name. `.internal` is reserved for private use (ICANN 2024): no public CA certifies it.
CONTROL_PLANE_TARGET_NAME = "control-plane.postern.internal"
ENROLMENT_TARGET_NAME = "enrolment.postern.internal"
NODE_URI_PREFIX = "postern://node/"

# Clocks of small machines are off by minutes until NTP answers; a new certificate must work at once.
CLOCK_SKEW = timedelta(minutes=10)
_NODE_ID = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")


@dataclass(frozen=True)
class Credential:
    """A private key and its certificate chain, both PEM."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes


@dataclass(frozen=True)
class Authority:
    """A certificate authority that can sign."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> bytes:
        """The root, as nodes keep it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def credential(self) -> Credential:
        """The authority as two PEM documents, for `authority_from`."""
        return Credential(key_to_pem(self.key), self.certificate_pem)


def create_ca(common_name: str, *, now: datetime, validity: timedelta) -> Authority:
    """A new authority that signs leaves only (path length 0)."""
    key = new_key()
    builder = _builder(_name(common_name), _name(common_name), key.public_key(), now, validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def authority_from(credential: Credential) -> Authority:
    """Read back what `Authority.credential` gave. Raises InvalidCertificate."""
    authority = Authority(key_from_pem(credential.key_pem), read_certificate(credential.certificate_pem))
    if authority.certificate.public_key() != authority.key.public_key():
        raise InvalidCertificate("The authority's key does not belong to its certificate.")
    return authority


def issue_node_certificate(
    authority: Authority, signing_request: bytes, node_id: str, *, now: datetime, validity: timedelta
) -> bytes:
    """A node's client certificate (PEM) for the key of a signing request (DER), whose subject is ignored.

    Raises InvalidSigningRequest, InvalidNodeId.
    """
    uri = NODE_URI_PREFIX + check_node_id(node_id)
    public_key = read_signing_request(signing_request)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    return _issue_leaf(authority, public_key, names, ExtendedKeyUsageOID.CLIENT_AUTH, now, validity)


def create_server_certificate(
    authority: Authority, hosts: Sequence[str], *, now: datetime, validity: timedelta
) -> Credential:
    """The control plane's own key and certificate, for `CONTROL_PLANE_TARGET_NAME` and `hosts`."""
    key = new_key()
    names = [_host_name(host) for host in (CONTROL_PLANE_TARGET_NAME, *hosts)]
    pem = _issue_leaf(authority, key.public_key(), names, ExtendedKeyUsageOID.SERVER_AUTH, now, validity)
    return Credential(key_to_pem(key), pem)


def create_enrolment_certificate(*, now: datetime, validity: timedelta) -> Credential:
    """The self-signed identity of the enrolment port, whose fingerprint is half of every one-time code."""
    key = new_key()
    name = _name(ENROLMENT_TARGET_NAME)
    builder = _builder(name, name, key.public_key(), now, validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = _for_use(builder, [_host_name(ENROLMENT_TARGET_NAME)], ExtendedKeyUsageOID.SERVER_AUTH)
    certificate = builder.sign(key, hashes.SHA256())
    return Credential(key_to_pem(key), certificate.public_bytes(serialization.Encoding.PEM))


def read_certificate(pem: bytes) -> x509.Certificate:
    """The first certificate of a PEM document. Raises InvalidCertificate."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise InvalidCertificate("It is not a certificate in PEM.") from error


def certificate_fingerprint(pem: bytes) -> bytes:
    """SHA-256 over the certificate's DER, 32 bytes. Raises InvalidCertificate."""
    der = read_certificate(pem).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).digest()


def public_key_hash(pem: bytes) -> str:
    """SHA-256 over the certificate's SubjectPublicKeyInfo, in hexadecimal. Raises InvalidCertificate."""
    key = read_certificate(pem).public_key()
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(encoding, form)).hexdigest()


def certificate_times(pem: bytes) -> tuple[datetime, datetime]:
    """When a certificate was issued, by its issuer's clock, and when it expires. Raises InvalidCertificate."""
    certificate = read_certificate(pem)
    return certificate.not_valid_before_utc + CLOCK_SKEW, certificate.not_valid_after_utc


def node_id_from_certificate(pem: bytes) -> str:
    """The node that a certificate was issued to. The caller has verified the chain (TLS has).

    Raises InvalidCertificate unless there is exactly one node URI among its names.
    """
    try:
        extension = read_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError) as error:
        raise InvalidCertificate("The certificate names no node.") from error
    uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    ids = [uri.removeprefix(NODE_URI_PREFIX) for uri in uris if uri.startswith(NODE_URI_PREFIX)]
    if len(ids) != 1 or not _NODE_ID.fullmatch(ids[0]):
        raise InvalidCertificate("The certificate does not name exactly one node.")
    return ids[0]


def check_node_id(node_id: str) -> str:
    """`node_id` if it is well formed. Raises InvalidNodeId."""
    if not _NODE_ID.fullmatch(node_id):
        raise InvalidNodeId("A node's identifier was given that is not well formed.")
    return node_id


def _issue_leaf(
    authority: Authority,
    public_key: ec.EllipticCurvePublicKey,
    names: Sequence[x509.GeneralName],
    use: x509.ObjectIdentifier,
    now: datetime,
    validity: timedelta,
) -> bytes:
    builder = _builder(x509.Name([]), authority.certificate.subject, public_key, now, validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = _for_use(builder, names, use)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = builder.add_extension(issuer_key, critical=False).sign(authority.key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    now: datetime,
    validity: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + validity)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _for_use(
    builder: x509.CertificateBuilder, names: Sequence[x509.GeneralName], use: x509.ObjectIdentifier
) -> x509.CertificateBuilder:
    # RFC 5280 4.2.1.6: critical when the subject is empty; the names are all that these certificates say.
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    return builder.add_extension(_key_usage(signs_certificates=False), critical=True)


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
