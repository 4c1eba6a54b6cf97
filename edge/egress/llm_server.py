"""A language model on another machine of the site's own network, asked through OpenAI's protocol.

The one text that leaves this machine for another of the site: under the site's policy (`lan_llm`), over a
connection to addresses that were judged (no name server can lead it out), with the certificate that the settings name,
and written down before the first byte. Nothing is retried: half an answer may already be on a screen.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from time import time
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from core.completions import asking
from core.completions.asking import PATH, Deadlines, headers_with
from core.completions.errors import LlmServerLate
from core.completions.stream import request_body
from core.errors import ConfigError, PosternError
from core.local_http import judged_connector
from core.network import is_local, local_addresses
from edge.config import LlmServerSection
from edge.egress import metrics
from edge.egress.records.guard import GuardRefused
from edge.egress.text.answer_stream import Admit, Restored, admitted
from edge.egress.text.handover import Handover, TextRefused, texts_of
from edge.inference.conversation import Message
from edge.inference.first_text import FirstText
from edge.privacy.policy import Purpose
from edge.store import lan_uses
from edge.store.store import Store

log = logging.getLogger(__name__)

SERVICE: Final = "llm_server"
LAN_BYTES_MAX: Final = 256 * 1024
"""Of text at once: a prompt of a large model has 100 KiB."""

COOL_DOWN_S: Final = 2.0
"""After a failure the server is not asked for so long: quotes are there at once, and a restart takes seconds."""

RETRY_AFTER_S_MAX: Final = 60.0
"""A busy server is believed so far and no further."""


class LlmServer:
    """Asks the server, any number of generations at once; how many it runs is its own matter."""

    def __init__(
        self, settings: LlmServerSection, store: Store, admit: Admit, first_text_s_max: float
    ) -> None:
        """`admit`: the text guard's. `first_text_s_max`: how long the first words may take.

        Raises ConfigError when a file of the settings cannot be used.
        """
        assert settings.url is not None
        parts = urlsplit(settings.url)
        self.host = parts.hostname or ""
        self.model = settings.model
        self.last_error = ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._url = settings.url.rstrip("/") + PATH
        self._first_text_s_max = first_text_s_max
        self._tls = _tls(settings)
        self._headers = headers_with(settings.api_key_file, "models.llm_server.api_key_file")
        self._store = store
        self._admit = admit
        self._not_before_s = 0.0
        self._first_text = FirstText()

    @property
    def ready(self) -> bool:
        """Whether a request would be tried: nothing failed just now."""
        return asyncio.get_running_loop().time() >= self._not_before_s

    @property
    def first_text_s(self) -> float:
        """Predicted seconds until the first text."""
        return self._first_text.predicted_s(asyncio.get_running_loop().time())

    async def generate(
        self, messages: Sequence[Message], *, max_new_tokens: int, deadline_s: float, about: str = ""
    ) -> AsyncGenerator[str, None]:
        """Pieces of text as they come; `about`: the session that it is for.

        `deadline_s` and the limit of the first words run from here: they are the customer's, the guard's time included.
        Closing the iterator ends the request. Raises NotLocal, TextRefused, GuardRefused, LlmServerUnreachable,
        -Busy, -Failed, -Cut or -Late; after any of them the text so far is not a whole answer.
        """
        now = asyncio.get_running_loop().time()
        give_up_at = now + deadline_s
        first_by = min(give_up_at, now + self._first_text_s_max)
        asked = Handover.of(Purpose.LAN_LLM, about, messages, max_new_tokens=max_new_tokens)
        text = await admitted(self._admit, asked, first_by - now)
        handed = texts_of(messages, text.parts)
        body = request_body(self.model, handed, max_new_tokens)
        addresses = await self._judged(len(body))
        if (
            asyncio.get_running_loop().time() >= first_by
        ):  # no fault of the server, so that it is not left alone
            raise LlmServerLate
        use = await self._noted(len(body), about)
        outcome, silent = "left", True
        try:
            restored = Restored(text)
            async with aclosing(self._ask(addresses, body, Deadlines(first_by, give_up_at))) as pieces:
                async for piece in pieces:
                    if silent:
                        silent = False
                        self._timed(now, self._first_text.came)
                    if shown := restored.feed(piece):
                        yield shown
            if rest := restored.close():
                yield rest
            outcome, self.last_error = lan_uses.WHOLE, ""
        except PosternError as error:
            outcome = error.code
            self._pause(error)
            raise
        finally:
            if silent:  # also where nobody waits any more
                self._timed(now, self._first_text.gave_up)
            with suppress(PosternError):  # that it began is on disk
                await self._store.write(partial(lan_uses.end, use=use, outcome=outcome))

    def _timed(self, began: float, told: Callable[[float, float], None]) -> None:
        now = asyncio.get_running_loop().time()
        told(now - began, now)

    async def close(self) -> None:
        """Nothing is kept open between requests."""

    async def _judged(self, size: int) -> list[str]:
        """Where the request goes. Raises NotLocal, LlmServerUnreachable, GuardRefused."""
        try:
            addresses = await local_addresses(self.host, self._port)
        except PosternError as error:
            self._pause(error)
            raise
        if reason := lan_refusal(addresses, size):
            metrics.REFUSED.labels(reason).inc()
            raise GuardRefused(f"Refused: {reason}.")
        metrics.LAN_BYTES.labels(SERVICE).inc(size)
        return addresses

    async def _noted(self, size: int, session: str) -> int:
        """The row of what is about to go. Raises TextRefused where there can be none: no fault of the server."""
        begin = partial(
            lan_uses.begin, service=SERVICE, host=self.host, size=size, session=session, at_ms=_now_ms()
        )
        try:
            return await self._store.write(begin)
        except Exception as error:  # whatever a database says when it is full
            log.error("a request could not be written down", extra={"error": type(error).__name__})
            metrics.REFUSED.labels("off_record").inc()
            raise TextRefused("Refused: off_record.") from None

    async def _ask(self, addresses: list[str], body: bytes, until: Deadlines) -> AsyncGenerator[str, None]:
        client = aiohttp.ClientSession(
            connector=judged_connector(addresses, self._tls),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        try:
            async with aclosing(asking.ask(client, self._url, body, self._headers, until)) as chunks:
                async for chunk in chunks:
                    if chunk.text:
                        yield chunk.text
        finally:
            await client.close()

    def _pause(self, error: PosternError) -> None:
        """Leave the server alone for a while, and say why."""
        self.last_error = error.code
        wait_s = min(error.retry_after_s or COOL_DOWN_S, RETRY_AFTER_S_MAX)
        self._not_before_s = asyncio.get_running_loop().time() + wait_s
        log.warning("the language model server failed", extra={"code": error.code})


def _tls(settings: LlmServerSection) -> ssl.SSLContext | aiohttp.Fingerprint:
    if settings.sha256 is not None:
        return aiohttp.Fingerprint(bytes.fromhex(settings.sha256.replace(":", "")))
    with suppress(OSError, ssl.SSLError):
        return ssl.create_default_context(cafile=settings.ca_file and str(settings.ca_file))
    raise ConfigError(f"models.llm_server.ca_file: {settings.ca_file} holds no certificate.")


def _now_ms() -> int:
    return round(time() * 1000)


def lan_refusal(addresses: Sequence[str], size: int) -> str:
    """Why text may not go there, or "" if it may. Pure."""
    if not addresses or not all(map(is_local, addresses)):
        return "lan_address"
    return "size" if size > LAN_BYTES_MAX else ""
