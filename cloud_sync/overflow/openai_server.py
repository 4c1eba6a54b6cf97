"""A provider behind OpenAI's protocol: vLLM, OpenVINO Model Server, llama.cpp, KServe, Ray Serve, a cloud's own."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final

import aiohttp

from cloud_sync.config import ProviderSettings
from cloud_sync.overflow.provider import Asked, Provider, Written
from core.completions.asking import PATH, Deadlines, ask, headers_with
from core.completions.stream import request_body
from core.errors import ConfigError

KEPT_OPEN_S: Final = 4.0
"""An idle connection. Uvicorn, under most of these servers, closes one after 5 s, and a request on it would be lost."""


class OpenAiServer(Provider):
    """Asks one server; how many answers it writes at once is its own matter."""

    def __init__(self, settings: ProviderSettings) -> None:
        """Raises ConfigError when a file of the settings cannot be used."""
        super().__init__(settings.name)
        self._model = settings.model
        self._url = settings.url.rstrip("/") + PATH
        self._headers = headers_with(
            settings.api_key_file, f"overflow.providers.{settings.name}.api_key_file"
        )
        self._tls = _tls(settings.name, settings.ca_file)
        self._client: aiohttp.ClientSession | None = None

    async def _generate(self, asked: Asked, until: Deadlines) -> AsyncGenerator[str | Written, None]:
        body = request_body(self._model, asked.messages, asked.max_new_tokens, counted=True)
        asking = ask(self._opened(), self._url, body, self._headers, until, counted=True)
        async with aclosing(asking) as chunks:
            async for chunk in chunks:
                if chunk.text:
                    yield chunk.text
                if chunk.finish:
                    usage = chunk.usage
                    yield Written(
                        "stop" if chunk.finish == "stop" else "length",
                        usage.prompt_tokens if usage else None,
                        usage.new_tokens if usage else None,
                    )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _opened(self) -> aiohttp.ClientSession:
        """One for all requests: a connection that is open already saves the first words a round trip or three."""
        if self._client is None or self._client.closed:
            self._client = aiohttp.ClientSession(
                # How many run at once is bounded before (`line`).
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_OPEN_S, ssl=self._tls),
                # Every wait has a limit of its own; aiohttp's would also run while our reader is busy.
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._client


def _tls(name: str, ca_file: Path | None) -> ssl.SSLContext:
    with suppress(OSError, ssl.SSLError):
        return ssl.create_default_context(cafile=ca_file and str(ca_file))
    raise ConfigError(f"overflow.providers.{name}.ca_file: {ca_file} holds no certificate.")
