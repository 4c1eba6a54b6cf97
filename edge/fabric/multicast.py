"""Multicast DNS: one registration of `_postern._tcp` and one browser for siblings. Imports zeroconf, so it is apart.

Anyone can spoof it and many networks drop it, so nothing is trusted for having been found here, and a node without
multicast serves on. No secret, name of a person or of the site is announced.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re

import ifaddr
from zeroconf import Error as ZeroconfError
from zeroconf import InterfaceChoice, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from core.network import is_loopback
from edge.fabric.discovery import Announcement, MulticastUnavailable, Sibling

log = logging.getLogger(__name__)

SERVICE = "_postern._tcp.local."
# What a sibling may make us remember; a site has a few nodes.
SIBLINGS_MAX = 64
# A sibling that does not answer within this is found again at its next announcement.
RESOLVE_MS_MAX = 3000
# Registering probes three times, 250 ms apart, before it announces.
START_S_MAX = 10.0
STOP_S_MAX = 3.0
_NODE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_VERSION_CHARS_MAX = 32


class Registration:
    """One registration and one browser. A node that serves loopback is announced on loopback only."""

    def __init__(self, announcement: Announcement) -> None:
        self._announcement = announcement
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._siblings: dict[str, Sibling] = {}
        self._resolving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Announce and listen. Raises MulticastUnavailable; the node then serves unannounced."""
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._register()
        except (OSError, TimeoutError, ZeroconfError) as error:
            await self.stop()
            raise MulticastUnavailable(f"{type(error).__name__} while announcing the node.") from error

    async def stop(self) -> None:
        """Say goodbye and close the sockets."""
        zeroconf, self._zeroconf = self._zeroconf, None
        for task in self._resolving:
            task.cancel()
        if zeroconf is None:
            return
        try:
            async with asyncio.timeout(STOP_S_MAX):
                if self._browser is not None:
                    await self._browser.async_cancel()
                await zeroconf.async_unregister_all_services()
                await zeroconf.async_close()
        except (TimeoutError, OSError):
            log.warning("multicast DNS did not close in time", extra={"limit_s": STOP_S_MAX})

    def siblings(self) -> tuple[Sibling, ...]:
        """Nodes announced by others, by id."""
        return tuple(sorted(self._siblings.values(), key=lambda sibling: sibling.node_id))

    async def _register(self) -> None:
        here = self._announcement
        loopback = is_loopback(here.host)
        interfaces = ["127.0.0.1"] if loopback else InterfaceChoice.Default
        self._zeroconf = AsyncZeroconf(interfaces=interfaces)
        info = AsyncServiceInfo(
            SERVICE,
            f"{here.node_id}.{SERVICE}",
            port=here.port,
            parsed_addresses=["127.0.0.1"] if loopback else _lan_addresses(here.host),
            properties={"v": here.version, "id": here.node_id, "path": here.path},
            server=f"{here.node_id}.local.",
        )
        announced = await self._zeroconf.async_register_service(info, allow_name_change=True)
        await announced
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._on_change])

    def _on_change(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed:
            self._siblings.pop(name, None)
        elif name in self._siblings or len(self._siblings) + len(self._resolving) < SIBLINGS_MAX:
            task = asyncio.get_running_loop().create_task(self._resolve(zeroconf, service_type, name))
            self._resolving.add(task)
            task.add_done_callback(self._resolving.discard)

    async def _resolve(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(zeroconf, RESOLVE_MS_MAX):
            return
        sibling = _sibling(info)
        if sibling is not None and sibling.node_id != self._announcement.node_id:
            self._siblings[name] = sibling


def _sibling(info: AsyncServiceInfo) -> Sibling | None:
    """What was announced, if it makes sense."""
    said = info.decoded_properties
    node_id, version = said.get("id") or "", said.get("v") or ""
    if not _NODE_ID.fullmatch(node_id) or info.port is None:
        return None
    return Sibling(node_id, version[:_VERSION_CHARS_MAX], tuple(info.parsed_addresses()), info.port)


def _lan_addresses(host: str) -> list[str]:
    """Where siblings reach us: the address served, or every address of this machine when all are served."""
    if not ipaddress.ip_address(host).is_unspecified:
        return [host]
    found = (str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4)
    return [address for address in found if not ipaddress.ip_address(address).is_loopback]
