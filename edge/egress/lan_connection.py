"""HTTP to a server of the site's own network: to the addresses that were judged, and nowhere else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from core.local_http import resolved


def judged_connector(
    addresses: Sequence[str], tls: ssl.SSLContext | aiohttp.Fingerprint
) -> aiohttp.TCPConnector:
    """For one request. `addresses`: of `core.network.local_addresses`, for the host and port of that request."""
    return aiohttp.TCPConnector(resolver=_Judged(addresses), use_dns_cache=False, force_close=True, ssl=tls)


class _Judged(AbstractResolver):
    """Resolves a server's name to the addresses that were found to be inside the site, and to nothing else."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses, whatever is asked for."""
        return resolved(host, port, self._addresses)

    async def close(self) -> None:
        """Nothing to close."""
