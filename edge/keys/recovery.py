"""The recovery key: an age identity (X25519, age-encryption.org/v1) that people keep away from the machine.

Its recipient stays at the site as keys/recovery.pub. To it the root key is encrypted (keys/root.recovery), and backups.
"""

from __future__ import annotations

from typing import Final

import pyrage
from pyrage.x25519 import Identity, Recipient

from edge.config import SitePaths
from edge.keys.errors import KeysUnusable, RecoveryKeyWrong

ROOT: Final = "root.recovery"
RECIPIENT: Final = "recovery.pub"


def new_identity() -> Identity:
    """A new recovery key."""
    return Identity.generate()


def recipient(paths: SitePaths) -> Recipient:
    """To whom backups and the root key are encrypted. Raises KeysUnusable; its checksum finds any altered letter."""
    path = paths.keys / RECIPIENT
    try:
        return Recipient.from_str(path.read_text(encoding="ascii").removesuffix("\n"))
    except OSError as error:
        raise KeysUnusable(f"{path}: {error.strerror}.") from None
    except (pyrage.RecipientError, UnicodeDecodeError):
        raise KeysUnusable(f"{path} is damaged.") from None


def identity(text: str, to: Recipient | None = None) -> Identity:
    """The recovery key that is written in `text`. Raises RecoveryKeyWrong when it is none, or not that of `to`."""
    try:
        found = Identity.from_str(text)
    except pyrage.IdentityError:
        raise RecoveryKeyWrong("It is not a recovery key.") from None
    if to is not None and str(found.to_public()) != str(to):
        raise RecoveryKeyWrong("It is the recovery key of another site, or one that was replaced.")
    return found


def identity_of(typed: str) -> Identity:
    """The recovery key that somebody typed. Raises RecoveryKeyWrong; its checksum finds a wrong letter."""
    return identity(typed.strip())


def files(to: Recipient, root_key: bytes) -> dict[str, bytes]:
    """What `changes.apply` writes so that the root key can be recovered."""
    return {ROOT: pyrage.encrypt(root_key, [to]), RECIPIENT: f"{to}\n".encode()}


def opened(paths: SitePaths, by: Identity) -> bytes:
    """The root key out of keys/root.recovery. Raises RecoveryKeyWrong, KeysUnusable."""
    path = paths.keys / ROOT
    try:
        return bytes(pyrage.decrypt(path.read_bytes(), [by]))
    except pyrage.DecryptError:
        raise RecoveryKeyWrong(f"{path} was not encrypted to this key, or is damaged.") from None
    except OSError as error:
        raise KeysUnusable(
            f"{path}: {error.strerror}.", remedy="Put the folder keys/ back from your backup."
        ) from None
