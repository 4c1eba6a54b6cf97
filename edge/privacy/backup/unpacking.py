"""A backup's parts into a folder that is nobody's yet. What is there is believed only when `unpack` comes back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from pyrage.x25519 import Identity

from core import archives
from core.archives import BackupUnusable, Found, Manifest, Part
from core.files import PRIVATE_FILE_MODE, private_folder
from edge.config import SitePaths
from edge.privacy.backup import making, manifest
from edge.privacy.backup.manifest import Head

CHUNK_BYTES: Final = 1024 * 1024
KEY_BYTES: Final = 32


@dataclass(frozen=True)
class Unpacked:
    """What the backup says of itself, and the keys of its store and of receipts, which touched no disk."""

    head: Head
    documents: int
    store: bytes = field(repr=False)
    receipts: bytes = field(repr=False)


def unpack(
    file: Path,
    identities: Sequence[Identity],
    into: SitePaths,
    is_wanted: Callable[[Head, str], bool],
    on_bytes: Callable[[int], None],
) -> Unpacked:
    """Write the parts that `is_wanted`, told by name, into the folder of a site. Raises BackupUnusable, OSError.

    `is_wanted` sees the head first, and may raise. `on_bytes` hears how many were read.
    """
    unpacking = _Unpacking(into, is_wanted, on_bytes)
    with archives.reading(file, identities) as parts:
        first = next(parts, None)
        if first is None or first.name != archives.HEAD:
            raise BackupUnusable("It does not begin as a backup of Postern does.")
        head = manifest.read_head(_small(first))
        listed: Manifest | None = None
        for part in parts:
            if listed is not None:
                raise BackupUnusable("Something follows its end.")
            if part.name == archives.MANIFEST:
                listed = archives.read_manifest(_small(part))
            else:
                unpacking.take(head, part)
    if listed is None:
        raise BackupUnusable("It is cut off.")
    manifest.check_parts(listed, unpacking.found)
    store, receipts = _data_keys(unpacking.kept[manifest.DATA_KEYS])
    return Unpacked(head, unpacking.documents, store, receipts)


class _Unpacking:
    def __init__(
        self, into: SitePaths, is_wanted: Callable[[Head, str], bool], on_bytes: Callable[[int], None]
    ) -> None:
        self._into = into
        self._is_wanted = is_wanted
        self._on_bytes = on_bytes
        self._places = {
            **making.files(into),
            manifest.LEDGER: into.ledger,
            manifest.STORE: into.store,
            manifest.STORE_LOG: into.store.with_name(into.store.name + "-wal"),
        }
        self._folders = making.folders(into)
        self.found: dict[str, Part] = {}
        self.kept: dict[str, bytes] = {}
        self.documents = 0

    def take(self, head: Head, part: Found) -> None:
        """Raises BackupUnusable."""
        manifest.check_name(part.name)
        if part.name in self.found:
            raise BackupUnusable("It holds a part twice.")
        wanted = self._is_wanted(head, part.name)
        if part.name == manifest.DATA_KEYS:
            content = self.kept[part.name] = _small(part)
            digest = sha256(content).hexdigest()
        elif wanted:
            digest = self._write(part, self._place(part.name))
        else:
            digest = self._copy(part, os.open(os.devnull, os.O_WRONLY))
        self.found[part.name] = Part(size=part.size, sha256=digest)

    def _place(self, name: str) -> Path:
        if name in self._places:
            return self._places[name]
        prefix = manifest.folder_of(name)
        self.documents += prefix == manifest.DOCUMENTS
        return self._folders[prefix] / name.removeprefix(prefix)

    def _write(self, part: Found, place: Path) -> str:
        """Into a new file; what is there is never followed nor written over."""
        if not place.parent.is_dir():
            private_folder(place.parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return self._copy(part, os.open(place, flags, PRIVATE_FILE_MODE))

    def _copy(self, part: Found, descriptor: int) -> str:
        """SHA-256 of the content, once it is on the disk."""
        digest = sha256()
        with os.fdopen(descriptor, "wb") as target:
            while chunk := part.content.read(CHUNK_BYTES):
                digest.update(chunk)
                target.write(chunk)
                self._on_bytes(len(chunk))
        return digest.hexdigest()


def _small(part: Found) -> bytes:
    if part.size > manifest.SMALL_BYTES_MAX:
        raise BackupUnusable("A part is larger than any of its kind.")
    return part.content.read()


def _data_keys(content: bytes) -> tuple[bytes, bytes]:
    """Of the store, of receipts. Raises BackupUnusable."""
    try:
        found: Mapping[str, str] = json.loads(content)
        store, receipts = (bytes.fromhex(found[name]) for name in ("store", "receipts"))
    except (ValueError, KeyError, TypeError):
        store = receipts = b""
    if {len(store), len(receipts)} != {KEY_BYTES}:
        raise BackupUnusable("Its keys are damaged.")
    return store, receipts
