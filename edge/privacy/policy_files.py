"""The site's policy as a file: TOML, and in its last line the signature of the site's own key (Ed25519, RFC 8032).

One file, so that text and signature change in one step. A file that was edited, or signed by another key, is no policy:
nothing leaves until the site signs again. Only the node's user holds the key; a data-protection officer may keep it
elsewhere and leave `keys/policy.pub` alone, which is enough to run by a policy and not enough to change it.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import ConfigError, RefusedByPolicy
from core.files import write_atomic
from edge.config import SitePaths
from edge.privacy.policy import POLICY_BYTES_MAX, Policy, parse

KEY_BYTES: Final = 32
"""Of an Ed25519 key, private and public."""

CLOCK_ERROR: Final = timedelta(hours=1)
"""A policy that was signed later than this from now says that the clock is wrong, and so no end of it can be told."""

_CONTEXT: Final = b"postern policy 1\n"
_TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
_SIGNATURE = re.compile(rb"# signed (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([A-Za-z0-9+/]{86}==)\n\Z")
_SIGNATURE_BYTES_MAX: Final = 128


class PolicyMissing(RefusedByPolicy):
    """The site has no policy."""

    code = "policy_missing"
    title = "The site has no privacy policy, so no text leaves this machine"
    remedy = "Choose one and sign it: postern privacy policy sign --pack clinic"


class PolicyUnsigned(RefusedByPolicy):
    """The policy does not carry the signature of the site's key."""

    code = "policy_unsigned"
    title = "The site's privacy policy is not signed as it is, so no text leaves this machine"
    remedy = "Read the file, and if it says what it should, sign it: postern privacy policy sign FILE"


class PolicyKeyMissing(ConfigError):
    """The key that signs policies, or its public half, is not there or damaged."""

    code = "policy_key_missing"
    title = "The key of the site's privacy policy cannot be used"
    remedy = "Put keys/policy.key back for as long as it takes to sign; keys/policy.pub must stay."


@dataclass(frozen=True)
class SignedPolicy:
    """A policy whose signature holds. `text`: as it was signed."""

    policy: Policy
    text: str
    signed_at: datetime


def make_key(keys: Path) -> None:
    """A new key pair of the site."""
    private = os.urandom(KEY_BYTES)
    write_atomic(keys / "policy.key", private)
    write_atomic(keys / "policy.pub", _public_half(Ed25519PrivateKey.from_private_bytes(private)))


def can_sign(paths: SitePaths) -> bool:
    """Whether the signing key is on this machine."""
    return paths.policy_key.exists()


def save(paths: SitePaths, text: str, at: datetime) -> SignedPolicy:
    """Sign a policy and put it in force. Raises BadPolicy, PolicyKeyMissing; the one before then stays."""
    plain = without_signature(text)
    policy = parse(plain)
    key = Ed25519PrivateKey.from_private_bytes(_key(paths.policy_key))
    if _public_half(key) != _key(paths.policy_public_key):
        raise PolicyKeyMissing("keys/policy.key and keys/policy.pub do not belong together.")
    stamp = at.astimezone(UTC).strftime(_TIME_FORMAT)
    signature = base64.b64encode(key.sign(_message(stamp, plain))).decode()
    write_atomic(paths.policy, f"{plain}# signed {stamp} {signature}\n".encode())
    return SignedPolicy(policy, plain, at)


def load(paths: SitePaths, now: datetime) -> SignedPolicy:
    """The policy that is in force. Raises PolicyMissing, PolicyUnsigned, PolicyKeyMissing, BadPolicy."""
    content = _content(paths.policy)
    match = _SIGNATURE.search(content)
    if match is None:
        raise PolicyUnsigned("The file has no signature in its last line.")
    try:
        text = content[: match.start()].decode()
        signature = base64.b64decode(match[2], validate=True)
        public = Ed25519PublicKey.from_public_bytes(_key(paths.policy_public_key))
        public.verify(signature, _message(match[1].decode(), text))
        signed_at = datetime.strptime(match[1].decode(), _TIME_FORMAT).replace(tzinfo=UTC)
    except (InvalidSignature, UnicodeDecodeError, binascii.Error, ValueError):
        raise PolicyUnsigned("It was changed since it was signed, or another key signed it.") from None
    if signed_at > now + CLOCK_ERROR:
        raise PolicyUnsigned("It was signed in the future.", remedy="Look at the machine's clock.")
    return SignedPolicy(parse(text), text, signed_at)


def without_signature(text: str) -> str:
    """A policy as it is written by people: ends with its last line, and with no signature from before."""
    plain = _SIGNATURE.sub(b"", text.encode()).decode()
    return plain if plain.endswith("\n") or not plain else f"{plain}\n"


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(POLICY_BYTES_MAX + _SIGNATURE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise PolicyMissing(f"{path} is not there.") from None
    except OSError as error:
        raise PolicyMissing(f"{path}: {error.strerror}.") from None


def _key(path: Path) -> bytes:
    """32 bytes. Raises PolicyKeyMissing."""
    try:
        key = path.read_bytes()
    except OSError:
        key = b""
    if len(key) != KEY_BYTES:
        raise PolicyKeyMissing(f"{path} is not there, or not {KEY_BYTES} bytes long.")
    return key


def _public_half(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _message(stamp: str, text: str) -> bytes:
    return _CONTEXT + stamp.encode() + b"\n" + text.encode()
