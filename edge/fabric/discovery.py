"""Announces the node on the site's LAN and lists siblings. Only ever a hint: trust comes from mTLS.

Anyone can spoof an announcement and many networks drop them, so a node without multicast says so and serves on. No
secret and no name of a person is announced: the site's id with a suffix of this run, the version, the page's path.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from core.errors import PosternError
from core.version import VERSION
from edge import metrics
from edge.config import Config

if TYPE_CHECKING:
    from edge.fabric.multicast import Registration

log = logging.getLogger(__name__)

# Tells apart the nodes of one site; three bytes, because a site has a few.
SUFFIX_BYTES = 3


class MulticastUnavailable(PosternError):
    """The node could not be announced; it serves without."""

    code = "multicast_unavailable"
    title = "The node cannot be announced on this network"
    remedy = "Let multicast DNS (UDP 5353) through, or set [discovery] enabled = false and name siblings by address."


@dataclass(frozen=True)
class Announcement:
    """What is said about this node: its id, version, and where its HTTP is."""

    node_id: str
    version: str
    host: str
    port: int
    path: str = "/"


@dataclass(frozen=True)
class Sibling:
    """Another node that somebody announced. A hint: trust comes from mTLS."""

    node_id: str
    version: str
    addresses: tuple[str, ...]
    port: int


class Announcer:
    """The announcement of a node that serves at `url`."""

    def __init__(self, config: Config, url: str) -> None:
        where = urlsplit(url)
        node_id = f"{config.site.id}-{secrets.token_hex(SUFFIX_BYTES)}"
        self.announcement = Announcement(
            node_id, VERSION, where.hostname or config.http.host, where.port or 443
        )
        self._enabled = config.discovery.enabled
        self._registration: Registration | None = None

    async def start(self) -> None:
        """Announce, if the site wants it. Does not raise when the network cannot: that is a loud fallback."""
        if not self._enabled:
            return
        multicast = await asyncio.to_thread(importlib.import_module, "edge.fabric.multicast")
        registration: Registration = multicast.Registration(self.announcement)
        self._registration = registration  # before it starts, so that a stop meanwhile reaches it
        try:
            await registration.start()
        except MulticastUnavailable as error:
            metrics.fall_back("discovery", error.code)
            log.warning(error.title, extra={"detail": error.detail, "remedy": error.remedy})

    async def stop(self) -> None:
        """Say goodbye."""
        registration, self._registration = self._registration, None
        if registration is not None:
            await registration.stop()

    def siblings(self) -> tuple[Sibling, ...]:
        """Nodes announced by others, by id."""
        return self._registration.siblings() if self._registration is not None else ()
