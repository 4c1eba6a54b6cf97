"""The courier's way to the control plane: direct, or through the site's HTTP proxy, which opens a tunnel (CONNECT).

A process has one way, said at its start by `egress.proxy`; no environment variable has a say. To the proxy itself the
courier speaks TLS where its address is `https://`. Inside the tunnel TLS is from end to end: a proxy that opens that to
look inside shows a certificate that is not the control plane's, and nothing is said to it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import ssl
import time
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from core.errors import CannotRead, ConfigError
from edge.egress.courier.relay import Relay, Streams
from edge.egress.reconciliation import own_traffic
from edge.paths import SitePaths, settings_text

log = logging.getLogger(__name__)

VARIABLES: Final = frozenset(
    {
        *("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy"),
        *("grpc_address_http_proxy", "grpc_address_http_proxy_enabled_addresses"),
    }
)
"""What libraries obey, gRPC among them, in small letters or capitals."""
ANSWER_BYTES_MAX: Final = 16_384
"""Of a proxy's answer up to the tunnel: some headers. Pages that explain a refusal are not read."""
LOGIN: Final = 407
CONNECT_TIMEOUT_S: Final = 3.0
"""To the proxy, which is near, and for TLS with it: less than who asks for a way waits, so that a proxy that is silent
is told as such."""
LOGIN_WAIT_S: Final = 900.0
"""After a login that was refused, for the whole process: directories lock an account after a few in half an hour."""

UNREACHABLE: Final = "unreachable"
PROXY_UNREACHABLE: Final = "proxy_unreachable"
PROXY_LOGIN: Final = "proxy_login"
PROXY_REFUSED: Final = "proxy_refused"
PROXY_TLS: Final = "proxy_tls"
REASONS: Final = frozenset({PROXY_UNREACHABLE, PROXY_LOGIN, PROXY_REFUSED, PROXY_TLS})
"""Which are the proxy's, and not the control plane's."""


@dataclass(frozen=True)
class Proxy:
    """Where it is and how we log in there; without a username it asks for no login.

    `tls`: whom we believe to be it; None: TLS is not spoken with it.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = None

    def request(self, host: str, port: int) -> bytes:
        """What asks for a tunnel to there."""
        to = _authority(host, port)
        lines = [f"CONNECT {to} HTTP/1.1", f"Host: {to}"]
        if self.username:
            login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {login}")
        return "\r\n".join((*lines, "", "")).encode()


class NoWay(ConnectionError):
    """No connection came about; `reason` is a code of those above."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _Way:
    """A proxy, the sockets before it, and when it refused our login last or took it, on the monotonic clock."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._first = asyncio.Lock()
        self._login_refused_s: float | None = None
        self._login_taken_s: float | None = None
        self._tls_fault = ""
        self.relay = Relay(self.open)

    async def open(self, host: str, port: int) -> Streams:
        """A tunnel to there. Raises NoWay; the caller bounds the time."""
        async with self._turn():
            return await self._through(host, port)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One after the other, until it is known that the login is right: a wrong one is said once, not by the link,
        each replica's channel and a fetch at the same time. Raises NoWay where to say it again would be too soon."""
        if not self._proxy.username or _is_recent(self._login_taken_s):
            yield
            return
        async with self._first:
            if _is_recent(self._login_refused_s):
                raise NoWay(PROXY_LOGIN)
            yield

    async def _through(self, host: str, port: int) -> Streams:
        reader, writer = await self._connected()
        try:
            writer.write(self._proxy.request(host, port))
            status = _status(await reader.readuntil(b"\r\n\r\n"))
            if status == LOGIN:
                self._login_refused_s, self._login_taken_s = time.monotonic(), None
            if not 200 <= status < 300:
                raise NoWay(PROXY_LOGIN if status == LOGIN else PROXY_REFUSED)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError) as error:
            writer.close()
            raise error if isinstance(error, NoWay) else NoWay(PROXY_REFUSED) from error
        except BaseException:
            writer.close()
            raise
        self._login_taken_s = time.monotonic()
        return reader, writer

    async def _connected(self) -> Streams:
        """To the proxy itself. Nothing is said to one whose certificate is not good."""
        proxy = self._proxy
        if proxy.tls is not None:
            own_traffic.connecting()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                streams = await asyncio.open_connection(
                    proxy.host, proxy.port, ssl=proxy.tls, limit=ANSWER_BYTES_MAX
                )
        except (OSError, ValueError) as error:  # a timeout; a name that cannot be one
            if proxy.tls is None or not isinstance(error, ssl.SSLError | ConnectionResetError):
                raise NoWay(PROXY_UNREACHABLE) from error
            self._say_fault(error)
            raise NoWay(PROXY_TLS) from error
        self._tls_fault = ""
        return streams

    def _say_fault(self, error: OSError) -> None:
        """Once, and not with every attempt."""
        fault = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "it broke off"
        if fault != self._tls_fault:
            log.warning("no TLS with the site's proxy: check egress.proxy.ca_file", extra={"fault": fault})
        self._tls_fault = fault


def _is_recent(then_s: float | None) -> bool:
    return then_s is not None and time.monotonic() - then_s < LOGIN_WAIT_S


_way: ContextVar[_Way | None] = ContextVar("way", default=None)


@asynccontextmanager
async def going_through(proxy: Proxy | None) -> AsyncIterator[None]:
    """Go that way within the block; None: directly."""
    way = None if proxy is None else _Way(proxy)
    _way.set(way)
    try:
        yield
    finally:
        _way.set(None)
        if way is not None:
            await way.relay.close()


def forget_variables() -> None:
    """Take what would bend the way out of this process's environment, and so out of what it starts."""
    for name in [name for name in os.environ if name.lower() in VARIABLES]:
        del os.environ[name]


def configured(paths: SitePaths) -> Proxy | None:
    """What the settings say. Raises ConfigError, NoSite.

    The models of settings take memory that the courier else does without: only a site with this section loads them.
    """
    try:
        if "egress" not in tomllib.loads(settings_text(paths)):
            return None
    except (CannotRead, tomllib.TOMLDecodeError) as error:
        # Never the direct way instead: these settings may forbid it.
        why = error.detail if isinstance(error, CannotRead) else f"{paths.config} is not valid TOML: {error}."
        raise ConfigError(
            f"{why} So the courier does not know its way out.",
            remedy="Correct it; the courier's account must be able to read it: chgrp postern, chmod 0640.",
        ) from None
    from edge.config import load_config

    section = load_config(paths).egress.proxy
    if section.url is None:
        return None
    parts = urlsplit(section.url)
    assert parts.hostname is not None
    assert parts.port is not None
    tls = _trusting(section.ca_file) if parts.scheme == "https" else None
    if section.username is None or section.password_file is None:
        return Proxy(parts.hostname, parts.port, tls=tls)
    try:
        password = section.password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"egress.proxy.password_file: {section.password_file} cannot be read ({type(error).__name__}).",
            remedy="The courier's account must be able to read it: chgrp postern-courier, chmod 0640.",
        ) from None
    return Proxy(parts.hostname, parts.port, section.username, password, tls)


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """For a proxy with a certificate of these authorities, or of the system's, for its name. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # which looks at both
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:
        raise ConfigError(
            f"egress.proxy.ca_file: {ca_file} holds no certificate.",
            remedy="It must hold those of the authorities that issue the proxy's, as PEM, one after the other.",
        ) from None
    except OSError as error:
        raise ConfigError(
            f"egress.proxy.ca_file: {ca_file} cannot be read ({type(error).__name__}).",
            remedy="The courier's account must be able to read it: chmod 0644, and 0755 for its folder.",
        ) from None
    return context


async def open_way(host: str, port: int) -> Streams:
    """A connection to there, by the way in use. Raises NoWay, OSError; the caller bounds the time."""
    way = _way.get()
    return await (asyncio.open_connection(host, port) if way is None else way.open(host, port))


async def grpc_target(endpoint: str) -> str:
    """Where gRPC connects to reach `endpoint`, HOST:PORT: directly, or to a socket of the courier's own before the
    proxy, who is asked for a tunnel whenever gRPC connects."""
    way = _way.get()
    if way is None:
        return endpoint
    host, _, port = endpoint.rpartition(":")
    return await way.relay.target(host.strip("[]"), int(port))


def _status(answer: bytes) -> int:
    """Raises ValueError where it is no answer of HTTP/1."""
    version, status, *_ = answer.partition(b"\r\n")[0].split(b" ", 2)
    if not version.startswith(b"HTTP/1."):
        raise ValueError("no HTTP/1")
    return int(status)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
