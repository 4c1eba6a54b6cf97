"""Proof that somebody holds the key of a certificate, when TLS cannot be asked because the certificate has expired.

The signature covers a nonce of whoever asks for the proof, and the signing request that it is to vouch for. Pure.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from core.identity.certificates import Authority, read_certificate
from core.identity.errors import InvalidCertificate
from core.identity.keys import key_from_pem

NONCE_BYTES = 32
# So that a signature for this purpose is one for no other.
_PURPOSE = b"postern reattestation 1\0"


def prove_possession(key_pem: bytes, nonce: bytes, signing_request: bytes) -> bytes:
    """An ECDSA signature (DER) by the certificate's key. Raises InvalidCertificate."""
    return key_from_pem(key_pem).sign(_signed(nonce, signing_request), ec.ECDSA(hashes.SHA256()))


def check_possession(certificate_pem: bytes, nonce: bytes, signing_request: bytes, signature: bytes) -> None:
    """Whether `prove_possession` made the signature with the certificate's key. Raises InvalidCertificate."""
    key = read_certificate(certificate_pem).public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise InvalidCertificate("Its key is not an ECDSA key on P-256.")
    try:
        key.verify(signature, _signed(nonce, signing_request), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise InvalidCertificate("The proof was not made with the certificate's key.") from None


def check_issued_by(authority: Authority, certificate_pem: bytes) -> None:
    """Whether the authority signed the certificate, expired or not. Raises InvalidCertificate."""
    try:
        read_certificate(certificate_pem).verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError, TypeError):
        raise InvalidCertificate("It is not a certificate of this control plane.") from None


def _signed(nonce: bytes, signing_request: bytes) -> bytes:
    # The nonce's length is fixed, so that nothing can move between the two parts.
    if len(nonce) != NONCE_BYTES:
        raise InvalidCertificate(f"A nonce has {NONCE_BYTES} bytes.")
    return _PURPOSE + nonce + signing_request
