"""What both repositories say, as the updater asks it: a manifest, or why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, Protocol

from core.artifacts import Manifest
from core.errors import PosternError
from edge.egress.fetch.client import FetchFailed
from edge.updates.installer import InstallRefused
from edge.updates.steps import TRUST_REFUSED
from edge.updates.wanted import Update

if TYPE_CHECKING:
    from edge.updates.trust import Trusted

MAY_COME_RIGHT: Final = frozenset({"trust_expired", "trust_missing", TRUST_REFUSED})
"""Codes of errors of the trust that pass: the repository is signed anew (one that was put back from a backup shows what
is older than what was seen, until then), or a root is brought."""


class LooksUp(Protocol):
    """`edge.updates.trust.Trust`."""

    async def look_up(self, target: str, node_id: str) -> Trusted:
        """Raises TrustRefused and its kin, FetchFailed."""


class Source(Protocol):
    """Where a manifest's bytes come from; `edge.egress.fetch.client`."""

    def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[int, bytes], None]:
        """(which of `digests`, a piece of it) in order, unchecked. Raises FetchFailed."""


class NodeTrust:
    """See `edge.updates.fetching.Trust`."""

    def __init__(self, open_trust: Callable[[], LooksUp], source: Source, node_id: Callable[[], str]) -> None:
        """`open_trust` is called with the first update: its library costs a node that gets none nothing. `node_id`:
        under which the node is enrolled now."""
        self._open_trust = open_trust
        self._trust: LooksUp | None = None
        self._source = source
        self._node_id = node_id

    async def manifest(self, update: Update) -> Manifest:
        """What both repositories say may come right later; a manifest that breaks the rules of manifests does not."""
        if self._trust is None:
            self._trust = await asyncio.to_thread(self._open_trust)
        try:
            trusted = await self._trust.look_up(update.target, self._node_id())
            return trusted.manifest(await self._content(trusted))
        except FetchFailed:
            raise
        except PosternError as error:
            raise InstallRefused(error.code, error.detail, passing=error.code in MAY_COME_RIGHT) from error

    async def _content(self, trusted: Trusted) -> bytes:
        got = bytearray()
        async with aclosing(self._source.blobs([trusted.sha256])) as pieces:
            async for _, piece in pieces:
                got += piece
                if len(got) > trusted.length:
                    raise FetchFailed("size")
        return bytes(got)
