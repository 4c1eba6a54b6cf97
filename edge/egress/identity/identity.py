"""Who this site is to its control plane, as kept in the courier's folder; replaced in one step.

Four files are one identity: key, certificate, roots, and what they are for. A new set is written aside as a whole,
made valid by one rename, and then moved into place; a crash between leaves the old set or is finished at the next load.
The private key is read and written here and by gRPC, and leaves this folder for nobody.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

from core.errors import PosternError
from core.files import fsync_folder, private_folder, write_atomic
from core.identity import public_key_hash

KEY_FILE, CERTIFICATE_FILE, ROOTS_FILE, ENROLMENT_FILE = "key.pem", "cert.pem", "ca.pem", "enrolment.json"
PORT_FILE = "port.pem"
VENDOR_FILE, DIRECTOR_FILE = "vendor-root.json", "director-root.json"
_STAGING, _READY = "next.tmp", "next"
# A DNS name has at most 253 letters; other scripts come as punycode.
_ENDPOINT = re.compile(r"[A-Za-z0-9._%:\[\]-]{1,249}:[1-9][0-9]{0,4}")
_PORT_MAX = 65_535


def is_endpoint(text: str) -> bool:
    """Whether it is HOST:PORT, which the ledger can hold as a destination."""
    return _ENDPOINT.fullmatch(text) is not None and int(text.rpartition(":")[2]) <= _PORT_MAX


class IdentityDamaged(PosternError):
    """The files of the identity do not fit together."""

    code = "identity_damaged"
    title = "The site's identity towards its control plane is damaged"
    remedy = "Enrol the site again with a new code: postern enroll."


@dataclass(frozen=True)
class Enrolment:
    """What the site was told when it enrolled."""

    node_id: str
    site_name: str
    sync_endpoint: str
    # Name that the control plane's certificate must carry, whatever host it is reached at.
    target_name: str
    # Where texts are answered, in the order to try; none: where the link goes.
    overflow_endpoints: tuple[str, ...] = ()
    # Where an expired certificate can be renewed.
    enrolment_endpoint: str = ""
    # Of the certificate, by its issuer's clock.
    issued_unix_s: int = 0
    expires_unix_s: int = 0


@dataclass(frozen=True)
class Identity:
    """All that a mutual TLS channel needs."""

    enrolment: Enrolment
    key_pem: bytes = field(repr=False)
    certificate_pem: bytes
    roots_pem: bytes
    # The certificate that the enrolment port showed, which the one-time code vouched for.
    enrolment_pem: bytes = b""
    # The roots of what the site may install, as they came; empty: there were none.
    vendor_root: bytes = b""
    director_root: bytes = b""

    @cached_property
    def destination_key(self) -> str:
        """SHA-256, in hexadecimal, of the key of the authority that whoever we talk to must prove itself by."""
        return public_key_hash(self.roots_pem)


def store(folder: Path, identity: Identity) -> None:
    """Replace the identity, durably and in one step."""
    private_folder(folder)
    staging, ready = folder / _STAGING, folder / _READY
    _finish(folder)
    shutil.rmtree(staging, ignore_errors=True)
    private_folder(staging)
    for name, content in _files(identity).items():
        write_atomic(staging / name, content)
    os.rename(staging, ready)
    fsync_folder(folder)
    _finish(folder)


def load(folder: Path) -> Identity | None:
    """The identity, or None before the first enrolment. Raises IdentityDamaged."""
    _finish(folder)
    if not (folder / ENROLMENT_FILE).exists():
        return None
    try:
        said = json.loads((folder / ENROLMENT_FILE).read_bytes())
        said["overflow_endpoints"] = tuple(said.get("overflow_endpoints", ()))
        enrolment = Enrolment(**said)
        names = (KEY_FILE, CERTIFICATE_FILE, ROOTS_FILE, PORT_FILE, VENDOR_FILE, DIRECTOR_FILE)
        key, certificate, *others = ((folder / name).read_bytes() for name in names)
    except (OSError, ValueError, TypeError) as error:
        raise IdentityDamaged(f"The files in {folder} cannot be read ({type(error).__name__}).") from error
    return Identity(enrolment, key, certificate, *others)


def _files(identity: Identity) -> dict[str, bytes]:
    return {
        KEY_FILE: identity.key_pem,
        CERTIFICATE_FILE: identity.certificate_pem,
        ROOTS_FILE: identity.roots_pem,
        PORT_FILE: identity.enrolment_pem,
        VENDOR_FILE: identity.vendor_root,
        DIRECTOR_FILE: identity.director_root,
        ENROLMENT_FILE: json.dumps(asdict(identity.enrolment), indent=1).encode() + b"\n",
    }


def _finish(folder: Path) -> None:
    """Move a complete new set into place; does nothing when there is none."""
    ready = folder / _READY
    if not ready.is_dir():
        return
    for path in sorted(ready.iterdir()):
        os.replace(path, folder / path.name)
    fsync_folder(folder)
    ready.rmdir()
    fsync_folder(folder)
