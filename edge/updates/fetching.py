"""FETCH: what the signed metadata says an update is made of, and its chunks, over a line that may be slow or break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final, Protocol

from core.artifacts import Manifest
from edge.egress.fetch.client import FetchFailed
from edge.updates.chunks import ChunkStore
from edge.updates.wanted import Update

DIGESTS_AT_ONCE: Final = 64
"""Of one request: part of the protocol."""

BYTES_AT_ONCE: Final = 16 * 1024 * 1024
"""Of one request: at 20 kB/s, which a satellite link has, it is through within the courier's fifteen minutes."""

WINDOW_LOOK_S: Final = 60.0
"""Until it is looked again whether a window is open: minutes are what windows are written in."""

SMALL_BYTES_MAX: Final = 256 * 1024
"""Of what waits for no window: policies, and packs of some pages. At 20 kB/s it is a quarter of a minute."""


class WindowClosed(Exception):
    """Nothing large may be fetched now."""


class Trust(Protocol):
    """What both repositories say; `edge.updates.trust`."""

    async def manifest(self, update: Update) -> Manifest:
        """What this node is to run, as both name it. Raises InstallRefused (they do not), FetchFailed."""


class Source(Protocol):
    """Where chunks come from; `edge.egress.fetch.client`."""

    def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[int, bytes], None]:
        """(which of `digests`, a piece of it) in order, unchecked. Raises FetchFailed."""


class Fetching:
    """Brings what is missing of an update into the chunk store."""

    def __init__(
        self, source: Source, chunks: ChunkStore, may_fetch: Callable[[], bool], look_s: float = WINDOW_LOOK_S
    ) -> None:
        """`may_fetch`: whether a window is open now."""
        self._source = source
        self._chunks = chunks
        self._may_fetch = may_fetch
        self.look_s = look_s
        """Until it is worth another try after WindowClosed."""

    def check_window(self, manifest: Manifest) -> None:
        """Raises WindowClosed."""
        if manifest.size > SMALL_BYTES_MAX and not self._may_fetch():
            raise WindowClosed

    async def take_present(self, manifest: Manifest, files: Sequence[Path]) -> int:
        """Bytes that need not be fetched, as files here hold them. Raises UpdateDiskFull."""
        await asyncio.to_thread(self._chunks.check_room, manifest)
        return await asyncio.to_thread(self._chunks.take_from, manifest, files)

    async def fetch(self, manifest: Manifest, fetched: Callable[[int], Awaitable[None]]) -> None:
        """All that is missing; `fetched` hears of the bytes of each chunk that is durable.

        Raises FetchFailed, WindowClosed, OSError. What came before stays.
        """
        for group in groups(await asyncio.to_thread(self._chunks.missing, manifest)):
            self.check_window(manifest)
            await self._fetch_group(group, fetched)

    async def _fetch_group(self, group: dict[str, int], fetched: Callable[[int], Awaitable[None]]) -> None:
        digests, sizes = list(group), list(group.values())
        whole, got = 0, bytearray()
        async with aclosing(self._source.blobs(digests)) as pieces:
            async for index, piece in pieces:
                if index != whole:
                    raise FetchFailed("kind")
                got += piece
                if len(got) > sizes[whole]:
                    raise FetchFailed("size")
                if len(got) == sizes[whole]:
                    await asyncio.to_thread(self._chunks.put, digests[whole], bytes(got))
                    await fetched(sizes[whole])
                    whole, got = whole + 1, bytearray()
                    if whole == len(digests):
                        return
        raise FetchFailed("cut")


def groups(missing: dict[str, int]) -> Iterator[dict[str, int]]:
    """Chunks as they are asked for together. Pure."""
    group: dict[str, int] = {}
    for digest, size in missing.items():
        if group and (len(group) == DIGESTS_AT_ONCE or sum(group.values()) + size > BYTES_AT_ONCE):
            yield group
            group = {}
        group[digest] = size
    if group:
        yield group
