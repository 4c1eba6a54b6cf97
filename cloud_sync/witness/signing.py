"""The witness's own key: made once, read ever after, shown as a vkey."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cloud_sync.witness.notes import COSIGNATURE_V1, WITNESS_NAME, cosign, public_key, signature_line
from core.errors import ConfigError
from core.files import write_atomic


class WitnessKey:
    """Signs checkpoints that the rules let pass."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self._public = public_key(private, COSIGNATURE_V1, WITNESS_NAME)

    @property
    def vkey(self) -> str:
        """By which others check what it signed."""
        return self._public.vkey

    def cosign(self, text: bytes, now: datetime) -> str:
        """The line for a checkpoint's text, with its newline."""
        return signature_line(cosign(text, self._private, self._public, int(now.timestamp())))


def create_witness_key(path: Path) -> None:
    """A new key: 32 bytes."""
    raw = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    write_atomic(path, raw)


def load_witness_key(path: Path) -> WitnessKey:
    """Raises ConfigError when it is missing or damaged."""
    try:
        return WitnessKey(Ed25519PrivateKey.from_private_bytes(path.read_bytes()))
    except (OSError, ValueError) as error:
        remedy = (
            f"Copy {path.name} from another replica or the backup. Only where there never was one: "
            "`postern-cloud witness key --new`."
        )
        raise ConfigError(f"The witness's key {path} cannot be read.", remedy=remedy) from error
