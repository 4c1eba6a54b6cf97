"""A channel to one replica of the control plane that answers texts, kept open ahead of the first of them."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import grpc
import grpc.aio

from edge.egress.courier.cloud_channel import in_short, opened_channel
from edge.egress.courier.episode import Episode
from edge.egress.courier.handshake import REFUSED
from edge.egress.courier.proxy import UNREACHABLE
from edge.egress.identity.identity import Identity
from edge.egress.ledger import LedgerFailed
from edge.egress.ledger.queue import LedgerQueue

log = logging.getLogger(__name__)

RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 15.0
"""Between attempts, doubling: a replica restarts in seconds, and meanwhile customers get quotes."""

_READY: Final = grpc.ChannelConnectivity.READY


class _Channel:
    """An open channel, closed when it has been left and the last answer over it has ended."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.running = 0
        self.left = False

    async def close_if_unused(self) -> None:
        if self.left and not self.running:
            await self.channel.close(None)


class OverflowEndpoint:
    """`keep` opens the channel again whenever it is lost; the ledger has a leaf for each life of it."""

    def __init__(
        self, identity: Identity, address: str, ledger: LedgerQueue, changed: Callable[[], None]
    ) -> None:
        """`changed`: called whenever `ready` or `reason` may have."""
        self.address = address
        self.late_until_s = 0.0
        """On the loop's clock: it was slow to take a text on, so others are asked before it."""
        self.key = identity.destination_key
        self._identity = identity
        self._reached = ""
        """`key` once it answered under it."""
        self._changed = changed
        self._episode = Episode(ledger)
        self._open: _Channel | None = None
        self._reason = UNREACHABLE
        self._refused_until_s = 0.0

    @property
    def ready(self) -> bool:
        """Whether a text would be sent."""
        return self._open is not None and not self._refuses

    @property
    def reason(self) -> str:
        """Why not: unreachable, refused, ledger_failed, witness_refused, or a code of `edge.egress.courier.proxy`."""
        return REFUSED if self._refuses else "" if self._open is not None else self._reason

    @property
    def _refuses(self) -> bool:
        return asyncio.get_running_loop().time() < self._refused_until_s

    def refused(self, for_s: float) -> None:
        """It does not take this site's texts: left alone for so long."""
        loop = asyncio.get_running_loop()
        self._refused_until_s = loop.time() + for_s
        self._changed()
        loop.call_at(self._refused_until_s, self._changed)

    @asynccontextmanager
    async def channel(self) -> AsyncIterator[grpc.aio.Channel | None]:
        """The open channel, which stays for the block even if another takes its place; None when there is none."""
        opened = self._open
        if opened is None:
            yield None
            return
        opened.running += 1
        try:
            yield opened.channel
        finally:
            opened.running -= 1
            await opened.close_if_unused()

    async def keep(self) -> None:
        """Until cancelled."""
        loop, wait_s = asyncio.get_running_loop(), RETRY_S_MIN
        while True:
            began_s = loop.time()
            try:
                self._reason = await self._once()
            except LedgerFailed as error:
                if self._reason != error.code:  # not each time that it is tried
                    log.error("the ledger cannot be written", extra={"detail": error.detail})
                self._reason = error.code
            self._changed()
            if loop.time() - began_s > RETRY_S_MAX:  # it was open for a while
                wait_s = RETRY_S_MIN
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311  (spreads nodes out)
            wait_s = min(2 * wait_s, RETRY_S_MAX)

    async def close_episode(self) -> None:
        """Record the end of the last connection. Raises LedgerFailed."""
        await self._episode.close("closed", destination_key=self._reached)

    async def _once(self) -> str:
        """Connect, and stay until the connection is lost; returns why there is none, as a short code."""
        self._reached = ""
        await self._episode.attempt(self.address)
        channel, why = await opened_channel(self._identity, self.address)
        if channel is None:
            return in_short(why)
        opened = _Channel(channel)
        try:
            self._open, self._reached = opened, self.key
            self._changed()
            await opened.channel.wait_for_state_change(_READY)
        finally:
            # What is under way may end: a replica that stops lets it.
            self._open, opened.left = None, True
            await opened.close_if_unused()
        await self._episode.close("ended", destination_key=self.key)
        return UNREACHABLE
