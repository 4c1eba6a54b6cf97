"""What the node holds while it runs, opened once at its start, under the store's lock."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.files import write_atomic
from edge.config import SitePaths
from edge.keys import changes, custody, recovery, root, wrapping
from edge.keys.changes import GONE
from edge.keys.errors import KeysUnusable
from edge.keys.wrapping import KEY_BYTES, DataKeys

log = logging.getLogger(__name__)

RECEIPTS_PUBLIC: Final = "receipts.pub"
"""PEM, for whoever checks a receipt elsewhere."""

OLD_STORE: Final = "store.key"
OLD_SUBJECTS: Final = "subject-keys.key"
"""Sites before the hierarchy have these two as they are, 32 bytes."""


@dataclass(frozen=True)
class SiteKeys:
    """The keys of the data, 32 bytes each, the key that signs receipts, and who holds the root key."""

    store: bytes = field(repr=False)
    subjects: bytes = field(repr=False)
    receipts: Ed25519PrivateKey = field(repr=False)
    root_in: root.Holder

    @classmethod
    def open(cls, paths: SitePaths) -> SiteKeys:
        """Open the site's keys, made where the folder has neither keys nor a store. Raises KeysUnusable.

        The raw key files of a site from before the hierarchy are wrapped on the way.
        """
        changes.finish(paths)
        if not (paths.keys / wrapping.NAME).exists():
            cls.create(paths)
            log.warning(
                "the site has a recovery key now: take it away", extra={"file": str(paths.recovery_key)}
            )
        keys = cls.look(paths)
        if not (paths.keys / RECEIPTS_PUBLIC).exists():
            write_atomic(paths.keys / RECEIPTS_PUBLIC, public_pem(keys.receipts))
        return keys

    @classmethod
    def look(cls, paths: SitePaths) -> SiteKeys:
        """As `open`, changing nothing, for whoever looks at a site beside its node. Raises KeysUnusable."""
        root_key, holder = root.read(paths)
        data = wrapping.unwrap(root_key, custody.site_key_file(paths))
        receipts = Ed25519PrivateKey.from_private_bytes(data.receipts)
        _check_published(paths.keys / RECEIPTS_PUBLIC, receipts)
        return cls(data.store, data.subjects, receipts, holder)

    @classmethod
    def create(cls, paths: SitePaths) -> str:
        """Make the site's keys; the recovery key, which also lies in SITE/recovery-key until somebody takes it away.

        Raises KeysUnusable where there are keys, or a store whose keys are lost.
        """
        if (paths.keys / wrapping.NAME).exists():
            raise KeysUnusable("The site has its keys already.")
        if root.holder(paths):
            raise KeysUnusable(
                f"keys/{wrapping.NAME} is missing.", remedy="Put it back, from your backup or with restore."
            )
        store = _before(paths.keys / OLD_STORE, paths.store)
        subjects = _before(paths.keys / OLD_SUBJECTS, paths.subject_keys)
        data = DataKeys(store, subjects, wrapping.new_key())
        identity = recovery.new_identity()
        changes.apply(paths, {**custody.wrapped(paths, data, identity), OLD_STORE: GONE, OLD_SUBJECTS: GONE})
        return str(identity)


def _before(key: Path, database: Path) -> bytes:
    """The key of a database from before the hierarchy, or a new one where there is no database. Raises KeysUnusable."""
    if not key.exists():
        if database.exists():
            raise KeysUnusable(f"{database} is there, and its key is not.")
        return wrapping.new_key()
    found = key.read_bytes()
    if len(found) != KEY_BYTES:
        raise KeysUnusable(
            f"{key} is damaged: {len(found)} bytes, not {KEY_BYTES}.",
            remedy="Put the file back from your backup of the keys.",
        )
    return found


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """The key's public half, as RECEIPTS_PUBLIC has it."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _check_published(path: Path, key: Ed25519PrivateKey) -> None:
    """Raises KeysUnusable where another public half lies."""
    if path.exists() and path.read_bytes() != public_pem(key):
        raise KeysUnusable(
            f"{path} is not the public half of the key that signs receipts.",
            remedy="If the site's own people did not put it there, tell the data-protection officer; then remove it: "
            "it is made anew.",
        )
