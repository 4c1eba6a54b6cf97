"""Addresses of this machine and of the site's own networks, as both ends judge them.

`local_addresses` is the gate of the few connections that stay inside a site: what a name resolves to is judged, and the
caller connects to the address that was judged, so that no second answer of a name server can lead elsewhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

from core.errors import ConfigError, NotReachable, RefusedByPolicy

# Private networks (RFC 1918, RFC 4193). Not link-local: cloud machines answer there with secrets of theirs.
_PRIVATE = tuple(
    ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
# A name server of the site answers within this, or something is wrong.
RESOLVE_TIMEOUT_S = 5.0


class NotLocal(RefusedByPolicy):
    """A connection that must stay inside the site would leave it."""

    code = "not_local"
    title = "This address is not one of the site's own networks"
    remedy = (
        "Name a server with a private or loopback address; only the courier may connect to anything else."
    )


class NameUnknown(NotReachable):
    """A name of the site's own network leads nowhere."""

    code = "name_unknown"
    title = "This name is not known on this machine"
    remedy = (
        "Where the kernel's rules hold the node asks no name server: put the name into /etc/hosts, or give"
        " the address."
    )


def is_loopback(host: str) -> bool:
    """True for localhost and loopback addresses: only this machine can connect."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_local(address: str) -> bool:
    """True for an address of this machine or of a private network; False for a name."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return found.is_loopback or any(
        found in network for network in _PRIVATE if network.version == found.version
    )


def require_local(host: str) -> None:
    """For settings, before any name is resolved. Raises ConfigError for an address outside the site."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return  # a name: judged by what it resolves to, each time
    if not is_local(host):
        raise ConfigError(f"{host} is not an address of the site's own networks.", remedy=NotLocal.remedy)


async def local_addresses(host: str, port: int) -> list[str]:
    """What `host` resolves to, all of it inside the site. Raises NotLocal, NameUnknown."""
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        raise NameUnknown(f"The name {host} cannot be resolved.") from None
    return _judged(host, found)


def local_addresses_now(host: str, port: int) -> list[str]:
    """As `local_addresses`, for a thread of its own; waits as long as the system's resolver does."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise NameUnknown(f"The name {host} cannot be resolved.") from None
    return _judged(host, found)


def _judged(host: str, found: Iterable[tuple[Any, ...]]) -> list[str]:
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not all(map(is_local, addresses)):
        raise NotLocal(f"{host} resolves to an address outside the site.")
    return addresses
