"""Private keys and signing requests: ECDSA on P-256, which gRPC's TLS and every HSM speak."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.identity.errors import InvalidCertificate, InvalidSigningRequest


def new_key() -> ec.EllipticCurvePrivateKey:
    """A new private key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as unencrypted PKCS #8 PEM; the caller keeps it in a file that only its owner reads."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def key_from_pem(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Read what `key_to_pem` wrote. Raises InvalidCertificate."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise InvalidCertificate("The private key file cannot be read.") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidCertificate("The private key is not an ECDSA key on P-256.")
    return key


def create_signing_request(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #10, DER, with an empty subject: the control plane names the node."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.DER)


def read_signing_request(der: bytes) -> ec.EllipticCurvePublicKey:
    """The public key of a request that its holder signed; nothing else in it is used.

    Raises InvalidSigningRequest.
    """
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        valid = request.is_signature_valid
    except Exception as error:  # the parser's errors are many; each means the same here
        raise InvalidSigningRequest("It is not a PKCS #10 request in DER.") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidSigningRequest("Its key is not an ECDSA key on P-256.")
    if not valid:
        raise InvalidSigningRequest("It is not signed by the key that it names.")
    return key
