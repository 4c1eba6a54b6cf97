"""Where the root key lies: sealed to the machine's TPM, or in a file that only the node's user can read."""

from __future__ import annotations

import logging
from typing import Final, Literal

from core.errors import ConfigError
from edge.config import SitePaths, load_config
from edge.keys import tpm
from edge.keys.changes import GONE
from edge.keys.errors import KeysUnusable
from edge.keys.tpm import Tpm, TpmUnusable
from edge.keys.wrapping import KEY_BYTES

log = logging.getLogger(__name__)

Holder = Literal["tpm", "file"]

FILE: Final = "root.key"
SEALED: Final = "root.tpm"

NO_TPM: Final = "no_tpm"
NOT_SEALED: Final = "not_sealed"
"""Why the root key is not in a TPM: the machine has none, or it has one that is not used."""


def tpm_of(paths: SitePaths) -> Tpm | None:
    """The TPM that the site's settings name, or this machine's. Raises ConfigError."""
    setting = load_config(paths).keys.tpm_tcti if paths.config.exists() else ""
    address = tpm.address(setting)
    return None if address is None else Tpm(address)


def holder(paths: SitePaths) -> Holder | None:
    """Who holds the root key, by the files; None where there is no root key."""
    if (paths.keys / FILE).exists():
        return "file"
    return "tpm" if (paths.keys / SEALED).exists() else None


def shortfall(paths: SitePaths, chip: Tpm | None) -> str:
    """Why the root key is in a file; empty where `chip`, the TPM, holds it."""
    if holder(paths) == "tpm":
        return ""
    return NO_TPM if chip is None else NOT_SEALED


def read(paths: SitePaths) -> tuple[bytes, Holder]:
    """The root key and who holds it. Raises KeysUnusable, TpmUnusable."""
    found = holder(paths)
    if found is None:
        raise KeysUnusable(f"keys/{FILE} is not there, and no keys/{SEALED} either.")
    name = FILE if found == "file" else SEALED
    try:
        content = (paths.keys / name).read_bytes()
    except OSError as error:
        raise KeysUnusable(f"keys/{name}: {error.strerror}.") from None
    root = content if found == "file" else _unsealed(paths, content)
    if len(root) != KEY_BYTES:
        raise KeysUnusable(f"keys/{name} is damaged: a root key of {len(root)} bytes, not {KEY_BYTES}.")
    return root, found


def in_file(root: bytes) -> dict[str, bytes]:
    """What `changes.apply` writes so that `root` lies in a file."""
    return {FILE: root, SEALED: GONE}


def in_tpm(chip: Tpm, root: bytes) -> dict[str, bytes]:
    """What `changes.apply` writes so that `chip` holds `root`. Raises TpmUnusable: also if it does not give it back."""
    blob = chip.seal(root)
    if chip.unseal(blob) != root:
        raise TpmUnusable("The TPM does not give back what was sealed.")
    return {SEALED: blob, FILE: GONE}


def as_safe_as_here(paths: SitePaths, root: bytes) -> dict[str, bytes]:
    """`in_tpm` where there is a TPM that works, else `in_file`, with a word in the log.

    Settings that cannot be read, as of a backup of another version, hold nothing up: they can be mended afterwards.
    """
    try:
        chip = tpm_of(paths)
        return in_file(root) if chip is None else in_tpm(chip, root)
    except (TpmUnusable, ConfigError) as error:
        log.warning("the TPM cannot be used: the root key lies in a file", extra={"why": error.detail})
        return in_file(root)


def _unsealed(paths: SitePaths, blob: bytes) -> bytes:
    chip = tpm_of(paths)
    if chip is None:
        raise TpmUnusable("The root key is sealed to a TPM, and this machine has none, or may not use it.")
    return chip.unseal(blob)
