"""Who holds the root key, changed: into the TPM and out of it, brought back by the recovery key, replaced.

Each is one step (`changes`): killed in the middle, the site opens with what it had, or with what it was to have.
"""

from __future__ import annotations

from pyrage.x25519 import Identity, Recipient

from edge.config import SitePaths
from edge.keys import changes, recovery, root, tpm, wrapping
from edge.keys.errors import KeysUnusable
from edge.keys.tpm import TpmUnusable
from edge.keys.wrapping import DataKeys


def recover(paths: SitePaths, identity: str) -> None:
    """Bring the root key back with the recovery key, and keep it as this machine can: its TPM, or a file.

    Needs keys/root.recovery and keys/site.key, of the site or of its backup. Raises RecoveryKeyWrong, KeysUnusable.
    """
    changes.finish(paths)
    typed = recovery.identity_of(identity)
    _hold(paths, recovery.opened(paths, typed), typed.to_public())


def reseal(paths: SitePaths, root_key: bytes) -> None:
    """Let this machine hold the root key. Raises KeysUnusable when it does not open keys/site.key; nothing changes."""
    changes.finish(paths)
    _hold(paths, root_key, recovery.recipient(paths))


def seal(paths: SitePaths) -> None:
    """Move the root key into the TPM. Raises TpmUnusable, KeysUnusable; nothing changes."""
    changes.finish(paths)
    chip = root.tpm_of(paths)
    if chip is None:
        raise TpmUnusable(
            f"No TPM: there is no {tpm.DEVICE}, or the settings say to leave it alone.",
            remedy="Look whether the machine's firmware has it switched on, and at keys.tpm_tcti in site.toml.",
        )
    root_key = _checked(paths)
    changes.apply(paths, root.in_tpm(chip, root_key))


def unseal(paths: SitePaths) -> None:
    """Move the root key out of the TPM into a file. Raises TpmUnusable, KeysUnusable; nothing changes."""
    changes.finish(paths)
    changes.apply(paths, root.in_file(_checked(paths)))


def rotate(paths: SitePaths) -> str:
    """A new root key, site key and recovery key for the same data; the new recovery key.

    The TPM holds the new root key if it held the old one. Raises TpmUnusable, KeysUnusable; nothing changes then.
    """
    changes.finish(paths)
    if paths.recovery_key.exists():
        raise KeysUnusable(
            f"{paths.recovery_key} still lies here, and backups up to now need it.",
            remedy="Take it away (print it, keep it with the backups), remove the file, and try again.",
        )
    old, holder = root.read(paths)
    data = wrapping.unwrap(old, site_key_file(paths))
    root_key = wrapping.new_key()
    chip = root.tpm_of(paths)
    held = root.in_tpm(chip, root_key) if holder == "tpm" and chip else root.in_file(root_key)
    identity = recovery.new_identity()
    changes.apply(paths, {**held, **_under(paths, root_key, data, identity)})
    return str(identity)


def wrapped(paths: SitePaths, data: DataKeys, identity: Identity) -> dict[str, bytes]:
    """What `changes.apply` writes: `data` under a new root key, held as safely as here, with a recovery key."""
    root_key = wrapping.new_key()
    return {**root.as_safe_as_here(paths, root_key), **_under(paths, root_key, data, identity)}


def adopt(paths: SitePaths, store: bytes, receipts: bytes, identity: Identity) -> None:
    """Keys for a store that comes out of a backup: its own and that of receipts, under new ones of this machine.

    The recovery key is the one that people have, and does not lie here. Raises KeysUnusable.
    """
    files = wrapped(paths, DataKeys(store, wrapping.new_key(), receipts), identity)
    del files[paths.recovery_key.name]
    changes.apply(paths, files)


def site_key_file(paths: SitePaths) -> bytes:
    """The content of keys/site.key. Raises KeysUnusable."""
    path = paths.keys / wrapping.NAME
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysUnusable(f"{path}: {error.strerror}.") from None


def _under(paths: SitePaths, root_key: bytes, data: DataKeys, identity: Identity) -> dict[str, bytes]:
    """All but the root key itself."""
    return {
        **recovery.files(identity.to_public(), root_key),
        wrapping.NAME: wrapping.wrap(root_key, data),
        paths.recovery_key.name: f"{identity}\n".encode(),
    }


def _checked(paths: SitePaths) -> bytes:
    """The root key that opens the site key."""
    root_key, _ = root.read(paths)
    wrapping.unwrap(root_key, site_key_file(paths))
    return root_key


def _hold(paths: SitePaths, root_key: bytes, to: Recipient) -> None:
    wrapping.unwrap(root_key, site_key_file(paths))
    changes.apply(paths, {**root.as_safe_as_here(paths, root_key), **recovery.files(to, root_key)})
