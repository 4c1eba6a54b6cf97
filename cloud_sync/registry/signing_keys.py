"""The keys that sign what nodes may install. Which key is for what is said by the signed roots alone.

The organisation's own (roots and targets) lie in a folder that it takes away, sealed with a passphrase in files of the
age format: `root.age` is for the safe, `targets.age` for whoever publishes. Those of the control plane (snapshots,
timestamps, and what each node is to run) lie with its other keys.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, Literal

import pyrage
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner

from core.errors import ExitCode, PosternError
from core.files import private_folder, write_atomic

# Guessed at a try a second on a stolen stick, age's work factor does the rest.
PASSPHRASE_CHARACTERS_MIN: Final = 12
Sealed = Literal["root", "targets"]

TRIES: Final = 20
TRY_EVERY_S: Final = 0.25
"""age measures this machine before it opens anything, and refuses what would take sixteen seconds: one that is busy in
that moment looks slow. For five seconds it is asked again."""
_TOO_SLOW: Final = "Excessive work"
"""How age begins to say so."""


class RegistryKeyMissing(PosternError):
    """The key that must sign is not where it should be."""

    code = "registry_key_missing"
    title = "A key of the registry is missing"
    remedy = (
        "Name the folder that holds the newest keys with --vendor-keys, or restore the control plane's keys."
    )
    exit_code = ExitCode.FAILED


class WrongPassphrase(PosternError):
    """The passphrase does not open the keys, or is too short to seal them."""

    code = "wrong_passphrase"
    title = "The passphrase cannot be used"
    remedy = "Type the passphrase with which the keys were sealed; nobody can recover it."
    status = 400
    exit_code = ExitCode.REFUSED


class KeysNotOpened(PosternError):
    """This machine is too slow for what the keys were sealed with, or too busy now."""

    code = "keys_not_opened"
    title = "The keys were not opened"
    remedy = "Try again when the machine is less busy, or on a faster one. The passphrase may be right."
    exit_code = ExitCode.FAILED


class KeyRing:
    """Private keys in memory, found by the identifiers that signed metadata gives them."""

    def __init__(self, signers: Iterable[CryptoSigner] = ()) -> None:
        self._signers = {signer.public_key.keyid: signer for signer in signers}

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Of all that are here."""
        return tuple(self._signers)

    def new(self) -> CryptoSigner:
        """One more key."""
        signer = CryptoSigner.generate_ed25519()
        self._signers[signer.public_key.keyid] = signer
        return signer

    def signer(self, key_ids: Collection[str]) -> CryptoSigner:
        """The first of `key_ids` that is here. Raises RegistryKeyMissing."""
        for key_id in key_ids:
            if key_id in self._signers:
                return self._signers[key_id]
        raise RegistryKeyMissing("None of the keys that may sign this is here.")

    def only(self, key_ids: Collection[str]) -> KeyRing:
        """A ring with these alone."""
        return KeyRing(signer for key_id, signer in self._signers.items() if key_id in key_ids)

    def to_bytes(self) -> bytes:
        """As it is kept in a file that only its owner reads, or sealed."""
        return json.dumps([signer.private_bytes.decode() for signer in self._signers.values()]).encode()


def ring_from(content: bytes) -> KeyRing:
    """What `to_bytes` wrote. Raises RegistryKeyMissing."""
    try:
        pems = [pem.encode() for pem in json.loads(content)]
        return KeyRing(CryptoSigner(load_pem_private_key(pem, None)) for pem in pems)
    except (ValueError, TypeError, AttributeError) as error:
        raise RegistryKeyMissing("The file of keys cannot be read.") from error


def seal(folder: Path, which: Sealed, ring: KeyRing, passphrase: str) -> None:
    """Write the organisation's keys, in one step. Raises WrongPassphrase, OSError."""
    if len(passphrase) < PASSPHRASE_CHARACTERS_MIN:
        raise WrongPassphrase(
            "It is too short.", remedy=f"Choose one of at least {PASSPHRASE_CHARACTERS_MIN} characters."
        )
    private_folder(folder)
    write_atomic(_sealed_file(folder, which), bytes(pyrage.passphrase.encrypt(ring.to_bytes(), passphrase)))


def unseal(folder: Path, which: Sealed, passphrase: str) -> KeyRing:
    """The organisation's keys. Raises RegistryKeyMissing, WrongPassphrase, KeysNotOpened."""
    path = _sealed_file(folder, which)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RegistryKeyMissing(f"{path} cannot be read.") from error
    for _ in range(TRIES):
        try:
            return ring_from(bytes(pyrage.passphrase.decrypt(content, passphrase)))
        except pyrage.DecryptError as error:
            if not str(error).startswith(_TOO_SLOW):
                raise WrongPassphrase(f"It does not open {path}.") from None
        time.sleep(TRY_EVERY_S)
    raise KeysNotOpened(f"{path} was sealed on a machine that is much faster than this one is now.")


def sealed_there(folder: Path) -> bool:
    """Whether the folder holds an organisation's keys."""
    return any(_sealed_file(folder, which).exists() for which in ("root", "targets"))


class OnlineKeys:
    """The control plane's own, in a file of its folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> KeyRing:
        """Raises RegistryKeyMissing."""
        try:
            return ring_from(self._path.read_bytes())
        except OSError as error:
            remedy = f"Copy {self._path} from the replica that made it, or restore it from the backup."
            raise RegistryKeyMissing(f"{self._path} cannot be read.", remedy=remedy) from error

    def write(self, ring: KeyRing) -> None:
        """Replace it, in one step. Raises OSError."""
        write_atomic(self._path, ring.to_bytes())


def _sealed_file(folder: Path, which: str) -> Path:
    return folder / f"{which}.age"
