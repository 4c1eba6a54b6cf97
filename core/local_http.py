"""HTTP that stays inside the site: every name is judged when a connection is made, and no answer leads elsewhere."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from core.network import local_addresses


class LocalResolver(AbstractResolver):
    """Resolves names to addresses of the site's own networks, and to nothing else. Raises NotLocal, NotReachable."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """What the name means, whatever family is asked for."""
        return resolved(host, port, await local_addresses(host, port))

    async def close(self) -> None:
        """Nothing to close."""


def resolved(host: str, port: int, addresses: Iterable[str]) -> list[ResolveResult]:
    """Addresses in digits in the form that aiohttp connects to."""
    return [
        ResolveResult(
            hostname=host,
            host=address,
            port=port,
            family=socket.AF_INET6 if ":" in address else socket.AF_INET,
            proto=0,
            flags=socket.AI_NUMERICHOST,
        )
        for address in addresses
    ]


def local_client(timeout_s: float, tls: ssl.SSLContext | None = None) -> aiohttp.ClientSession:
    """A client for servers of the site. An address in digits is not resolved: judge it with `local_addresses` first."""
    connector = aiohttp.TCPConnector(
        resolver=LocalResolver(), use_dns_cache=False, force_close=True, ssl=True if tls is None else tls
    )
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=timeout_s))
