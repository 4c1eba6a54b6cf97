"""The way into a repository of The Update Framework: python-tuf's rules, our limits, the courier's fetches.

Blocks nobody: the library runs in a thread, and each file that it asks for is fetched on the event loop.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Protocol

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    ExpiredMetadataError,
    RepositoryError,
)
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig

from core.errors import ExitCode, PosternError
from core.files import fsync_folder, private_folder
from edge.egress.fetch.client import NOT_FOUND, FetchFailed
from edge.egress.fetch.order import NAME_PATTERN, RepositoryName

# What a courier's channel takes in one message is a million bytes; a root has some 2 KB, an entry of targets 300 bytes.
CONFIG: Final = UpdaterConfig(
    # Roots that were signed while a node was away; one a year is usual.
    max_root_rotations=64,
    # Ours has none; an organisation may have some made by another tool.
    max_delegations=32,
    root_max_length=64 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=256 * 1024,
    targets_max_length=900_000,
)
_HTTP_NOT_FOUND: Final = 404
_BASE_URL: Final = "postern:/"
_NAME: Final = re.compile(NAME_PATTERN)


class TrustRefused(PosternError):
    """What the control plane offers is not signed as it must be, is older than what was seen, or does not fit."""

    code = "trust_refused"
    title = "An update was refused because its signatures do not hold"
    remedy = "Nothing was installed. Tell who runs the control plane: its registry is damaged, or somebody is in it."
    status = 409
    exit_code = ExitCode.CHECK_FAILED


class TrustExpired(TrustRefused):
    """Signatures are out of date: the repository is not kept up, or an old state of it is shown."""

    code = "trust_expired"
    title = "An update was refused because its signatures are out of date"
    remedy = (
        "Nothing was installed, and what runs goes on. At the control plane: postern-cloud registry refresh. "
        "Check this machine's clock as well."
    )


class InvalidRoot(PosternError):
    """A file is no root of a repository."""

    code = "invalid_root"
    title = "The root cannot be used"
    remedy = "Name the file that `postern-cloud registry root` wrote."
    status = 400
    exit_code = ExitCode.USAGE


class MetadataSource(Protocol):
    """See `edge.egress.fetch.client.FetchClient`."""

    def metadata(self, repository: RepositoryName, name: str) -> Coroutine[Any, Any, bytes]:
        """A file of a repository's metadata. Raises FetchFailed (`not_found`: there is none of that name)."""
        ...


async def find(
    folder: Path, root: bytes, source: MetadataSource, repository: RepositoryName, target: str
) -> TargetFile | None:
    """Bring what is known of a repository up to date, and look a target up; None: it has none of that name.

    `folder`: where what was seen is kept, so that nothing older is believed again. Raises TrustExpired, TrustRefused,
    InvalidRoot, FetchFailed, OSError.
    """
    fetcher = _Fetcher(source, repository)
    try:
        return await asyncio.to_thread(_find, folder, root, fetcher, target)
    except asyncio.CancelledError:
        fetcher.give_up()
        raise


def read_root(content: bytes) -> Root:
    """A root that is signed by its own keys. Raises InvalidRoot."""
    try:
        metadata: Metadata[Root] = Metadata.from_bytes(content)
        if metadata.signed.type != Root.type:
            raise InvalidRoot("It is metadata of another kind.")
        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    except (DeserializationError, RepositoryError, ValueError) as error:
        raise InvalidRoot("It is not a root that its own keys have signed.") from error
    return metadata.signed


def _find(folder: Path, root: bytes, fetcher: _Fetcher, target: str) -> TargetFile | None:
    read_root(root)
    private_folder(folder)
    try:
        updater = Updater(str(folder), _BASE_URL, fetcher=fetcher, config=CONFIG, bootstrap=root)
        updater.refresh()
        return updater.get_targetinfo(target)
    except ExpiredMetadataError as error:
        raise TrustExpired(f"The {fetcher.repository}'s repository: {error}.") from error
    except (DownloadError, RepositoryError) as error:
        if fetcher.failed is not None:
            raise fetcher.failed from error
        raise TrustRefused(f"The {fetcher.repository}'s repository: {error}.") from error
    finally:
        _make_durable(folder)


class _Fetcher(FetcherInterface):
    """python-tuf's way to a file, from its thread to the event loop and back."""

    def __init__(self, source: MetadataSource, repository: RepositoryName) -> None:
        self.repository = repository
        self.failed: FetchFailed | None = None
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._running: Future[bytes] | None = None
        self._given_up = False

    def give_up(self) -> None:
        """Nobody waits any more: the thread is to end."""
        self._given_up = True
        if self._running is not None:
            self._running.cancel()

    def _fetch(self, url: str) -> Iterator[bytes]:
        name = url.removeprefix(_BASE_URL)
        if not _NAME.fullmatch(name):
            raise DownloadError(f"{name!r} is no name of a file")
        if self._given_up:
            raise DownloadError("nobody waits for it")
        self._running = asyncio.run_coroutine_threadsafe(
            self._source.metadata(self.repository, name), self._loop
        )
        try:
            yield self._running.result()
        except FetchFailed as error:
            if error.reason == NOT_FOUND:
                raise DownloadHTTPError(f"there is no {name}", _HTTP_NOT_FOUND) from error
            self.failed = error
            raise DownloadError(error.detail) from error
        except FutureCancelled as error:
            raise DownloadError("nobody waits for it") from error


def _make_durable(folder: Path) -> None:
    """What was seen stays seen when the power fails."""
    for path in folder.rglob("*.json"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    for inside in (folder / "root_history", folder):
        if inside.is_dir():
            fsync_folder(inside)
