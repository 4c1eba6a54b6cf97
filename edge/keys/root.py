"""Where the root key lies: in a file that only the node's user can read."""

from __future__ import annotations

from typing import Final, Literal

from edge.config import SitePaths
from edge.keys.changes import GONE
from edge.keys.errors import KeysUnusable
from edge.keys.wrapping import KEY_BYTES

Holder = Literal["tpm", "file"]

FILE: Final = "root.key"
TPM: Final = "root.tpm"


def exists(paths: SitePaths) -> bool:
    """Whether the site has a root key somewhere."""
    return any((paths.keys / name).exists() for name in (FILE, TPM))


def read(paths: SitePaths) -> tuple[bytes, Holder]:
    """The root key and who holds it. Raises KeysUnusable."""
    path = paths.keys / FILE
    try:
        root = path.read_bytes()
    except OSError as error:
        raise KeysUnusable(f"{path}: {error.strerror}.") from None
    if len(root) != KEY_BYTES:
        raise KeysUnusable(f"{path} is damaged: {len(root)} bytes, not {KEY_BYTES}.")
    return root, "file"


def files(paths: SitePaths, root: bytes) -> dict[str, bytes]:
    """What `changes.apply` writes so that this is the root key, held as safely as this machine can."""
    return {FILE: root, TPM: GONE}
