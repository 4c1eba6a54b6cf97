"""Telling a service of the site's own network by a signed webhook (`core.webhooks`)."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from core.errors import ConfigError
from core.local_http import judged_connector
from core.network import local_addresses
from core.webhooks import MAKE_A_SECRET, read_secret, signed_headers
from edge.config import WebhookSection
from edge.fabric.delivery import DELIVERY_TIMEOUT_S, DeliveryFailed, Notice


def read_handoff_secret(text: str) -> bytes:
    """The secret's bytes. Raises ConfigError."""
    try:
        return read_secret(text)
    except ValueError as error:
        raise ConfigError(f"handoff.webhook.secret_file: {error}.", remedy=MAKE_A_SECRET) from None


def payload(notice: Notice) -> bytes:
    """The body: number, time, site, console."""
    data = {"ticket": notice.ticket, "site": notice.site, "console_url": notice.console_url}
    body = {"type": "handoff.requested", "timestamp": notice.created.isoformat(), "data": data}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


class WebhookCarrier:
    """Calls the service that the site names. `clock`: seconds since the epoch."""

    def __init__(self, settings: WebhookSection, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigError when the secret or the CA cannot be read."""
        assert settings.url is not None
        assert settings.secret_file is not None
        self._url = settings.url
        self.host = urlsplit(settings.url).hostname or ""
        self._secret = read_handoff_secret(_text(settings.secret_file))
        self._tls = _tls(settings)
        self._clock = clock

    def size(self, notice: Notice) -> int:
        """See Carrier."""
        return len(payload(notice))

    async def send(self, notice: Notice) -> None:
        """See Carrier."""
        body, timestamp_s = payload(notice), int(self._clock())
        headers = signed_headers([self._secret], notice.id, timestamp_s, body)
        try:
            status = await self._post(body, headers)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryFailed(f"The webhook failed: {type(error).__name__}.") from None
        if not 200 <= status < 300:  # a redirect is no answer either: it could lead anywhere
            raise DeliveryFailed(f"The webhook answered {status}.")

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        parts = urlsplit(self._url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connector = judged_connector(await local_addresses(parts.hostname or "", port), self._tls)
        timeout = aiohttp.ClientTimeout(total=DELIVERY_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
            client.post(self._url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text(encoding="utf-8")
    raise ConfigError(f"handoff.webhook.secret_file: {path} cannot be read.")


def _tls(settings: WebhookSection) -> ssl.SSLContext:
    with suppress(OSError, ssl.SSLError):
        return ssl.create_default_context(cafile=settings.ca_file and str(settings.ca_file))
    raise ConfigError(f"handoff.webhook.ca_file: {settings.ca_file} holds no certificate.")
