"""Writing a backup's file, in a process of its own (`edge.apart`): it reads what is there and changes nothing.

At the lowest priority of processor and disk, no faster than it is told, and with little of the file waiting for the
disk at any time: the next commit of a turn waits for what lies before it.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Any, Final

import psutil
import sqlcipher3
from pyrage.x25519 import Recipient

from core import archives
from core.archives import BackupFailed, Source
from core.files import PRIVATE_FILE_MODE, fsync_folder
from core.signing import canonical_json
from edge.apart import Done, serve
from edge.config import SitePaths
from edge.privacy.backup import manifest
from edge.privacy.backup.snapshot import Snapshot, snapshot
from edge.store.plain import copy_plain
from models.progress import Report

PART_SUFFIX: Final = ".part"
"""Of a file that is being written. Killed before its end it is nobody's backup."""

FLUSH_BYTES: Final = 1024 * 1024
"""Written between two waits for the disk."""

WHAT: Final = "Writing the backup"


def work(task: dict[str, Any], report: Report) -> Done:
    """Write the file beside its final name, whole and on the disk. Raises BackupFailed."""
    _step_back()
    paths, target = SitePaths(Path(task["site"])), Path(task["target"])
    try:
        with ExitStack() as stack:
            taken = stack.enter_context(snapshot(paths.store, bytes.fromhex(task["store_key"])))
            file = stack.enter_context(_created(target))
            total = taken.store_bytes + taken.log_bytes + folders_bytes(paths)
            paced = _Paced(file, task["bytes_per_s"], total, report)
            archives.write(_parts(task, paths, taken, stack), paced, Recipient.from_str(task["recipient"]))
            paced.flush()
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BackupFailed(f"{error.filename or target}: {error.strerror}.") from None
        raise
    fsync_folder(target.parent)
    return Done({"bytes": target.stat().st_size})


def _step_back() -> None:
    process = psutil.Process()
    if hasattr(process, "ionice"):
        process.ionice(psutil.IOPRIO_CLASS_IDLE)


def _created(target: Path) -> IO[bytes]:
    """A new file that nobody else may read; one that a killed backup left goes."""
    target.unlink(missing_ok=True)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    return os.fdopen(descriptor, "wb", FLUSH_BYTES)


def folders_bytes(paths: SitePaths) -> int:
    """What the folders of a backup hold. Raises OSError."""
    return sum(path.stat().st_size for folder in folders(paths).values() for _, path in files_in(folder))


def _parts(task: dict[str, Any], paths: SitePaths, taken: Snapshot, stack: ExitStack) -> Iterator[Source]:
    yield _small(archives.HEAD, canonical_json(task["head"]))
    yield _small(manifest.DATA_KEYS, json.dumps(task["data_keys"]).encode())
    for name, path in files(paths).items():
        if path.is_file():
            with closing(path.open("rb")) as content:
                yield Source(name, os.fstat(content.fileno()).st_size, content)
    if os.access(paths.ledger, os.R_OK):
        with _ledger(paths) as content:
            yield Source(manifest.LEDGER, os.fstat(content.fileno()).st_size, content)
    for prefix, folder in folders(paths).items():
        for name, path in files_in(folder):
            with closing(path.open("rb")) as content:
                yield Source(prefix + name, os.fstat(content.fileno()).st_size, content)
    yield Source(manifest.STORE_LOG, taken.log_bytes, taken.log)
    yield Source(manifest.STORE, taken.store_bytes, taken.store)


def files(paths: SitePaths) -> dict[str, Path]:
    """Where the single files of a site lie, by the names of their parts."""
    return {
        manifest.SETTINGS: paths.config,
        manifest.POLICY: paths.policy,
        manifest.POLICY_PUBLIC: paths.policy_public_key,
        manifest.POLICY_KEY: paths.policy_key,
        manifest.INTENTS: paths.intent_examples,
        manifest.QUESTIONS: paths.golden_questions,
    }


def folders(paths: SitePaths) -> dict[str, Path]:
    """Where the folders of a site lie, by what the names of their parts begin with."""
    return {
        manifest.DOCUMENTS: paths.documents,
        manifest.POLICIES: paths.pushed_policies,
        manifest.PACKS: paths.packs,
        manifest.POLICIES_USED: paths.policies_used,
    }


@contextmanager
def _ledger(paths: SitePaths) -> Iterator[IO[bytes]]:
    """A whole copy of the record of what left, as it is now, while the courier writes it. Raises BackupFailed."""
    with tempfile.NamedTemporaryFile(dir=paths.store.parent) as copy:
        try:
            copy_plain(paths.ledger, Path(copy.name))
        except sqlcipher3.Error as error:
            raise BackupFailed(
                f"The record of what left cannot be copied: {error}.",
                remedy="See what `postern ledger verify` says of it.",
            ) from None
        yield copy.file


def files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files below a folder by their names in it; links are not followed."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


def _small(name: str, content: bytes) -> Source:
    return Source(name, len(content), io.BytesIO(content))


class _Paced:
    """A file that is written no faster than `bytes_per_s`, a little at a time, and tells how far it is."""

    def __init__(self, file: IO[bytes], bytes_per_s: int, total: int, report: Report) -> None:
        self._file = file
        self._bytes_per_s = bytes_per_s
        self._total = total
        self._report = report
        self._began = time.monotonic()
        self._written = self._flushed = 0

    def write(self, data: bytes) -> int:
        """Of the file."""
        written = self._file.write(data)
        self._written += written
        if self._written - self._flushed >= FLUSH_BYTES:
            self.flush()
            early_s = self._written / self._bytes_per_s - (time.monotonic() - self._began)
            if early_s > 0:
                time.sleep(early_s)
        return written

    def flush(self) -> None:
        """Let all of it reach the disk, and leave the memory to others."""
        self._file.flush()
        os.fsync(self._file.fileno())
        os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._flushed = self._written
        self._report(WHAT, min(self._written, self._total), self._total)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, work)
