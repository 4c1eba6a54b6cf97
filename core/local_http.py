"""HTTP to a server of the site's own network: to the addresses that were judged, and nowhere else."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult


def judged_connector(
    addresses: Sequence[str], tls: ssl.SSLContext | aiohttp.Fingerprint | None = None
) -> aiohttp.TCPConnector:
    """For one request. `addresses`: of `core.network.local_addresses`, for the host and port of that request."""
    return aiohttp.TCPConnector(
        resolver=_Judged(addresses), use_dns_cache=False, force_close=True, ssl=True if tls is None else tls
    )


class _Judged(AbstractResolver):
    """Resolves a server's name to the addresses that were found to be inside the site, and to nothing else."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses, whatever is asked for."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""
