"""Tells webhooks what `watch` saw: each message is a row until the other side has taken it, or it is given up."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path

import sqlalchemy as sa

from cloud_sync.config import WebhookSettings
from cloud_sync.fleet.alerts.messages import news, next_attempt, trial
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.store.alerts import AlertRow
from cloud_sync.store.database import Database
from cloud_sync.store.webhooks import (
    MessageRow,
    add_message,
    count_waiting,
    due_messages,
    forget_messages,
    message_failed,
    message_told,
)
from core.errors import ConfigError, NotReachable, PosternError
from core.webhooks import MAKE_A_SECRET, read_secret, signed_headers

log = logging.getLogger(__name__)

# A message is a few hundred bytes and a look at the fleet makes one at most: half an hour of nothing but news.
WAITING_MAX = 200
# The scheme's advice is 15 to 30 seconds; the other side only has to take it down.
TIMEOUT_S = 15.0
# Between looks for what is due.
LOOK_INTERVAL_S = 2.0
# Of one webhook at a look.
MESSAGES_AT_A_TIME = 20
# What was given up is kept for who asks why nobody was told.
GIVEN_UP_KEPT_FOR = timedelta(days=30)


class WebhookFailed(NotReachable):
    """The other side did not take a message."""

    code = "webhook_failed"
    title = "The webhook did not take the message"
    remedy = "Check its address and that its service runs; it must answer 2xx, and not by a redirect."


@dataclass(frozen=True)
class Webhook:
    """Who is told, with its secrets in memory."""

    name: str
    url: str
    secrets: tuple[bytes, ...]
    tls: ssl.SSLContext


def read_webhooks(settings: Sequence[WebhookSettings]) -> tuple[Webhook, ...]:
    """Raises ConfigError when a secret or a CA cannot be read."""
    return tuple(
        Webhook(one.name, one.url, tuple(_secret(one.name, path) for path in one.secret_files), _tls(one))
        for one in settings
    )


class Deliveries:
    """The messages of all webhooks."""

    def __init__(
        self,
        database: Database,
        organisation: str,
        webhooks: Sequence[Webhook],
        metrics: FleetMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._organisation = organisation
        self._webhooks = tuple(webhooks)
        self._metrics = metrics
        self._clock = clock

    def put(
        self,
        connection: sa.Connection,
        raised: tuple[AlertRow, ...],
        resolved: tuple[AlertRow, ...],
        now: datetime,
    ) -> None:
        """Have each webhook told, in the transaction that writes the alerts."""
        body = news(self._organisation, raised, resolved, now)
        for webhook in self._webhooks:
            row = MessageRow(f"msg_{secrets.token_hex(12)}", webhook.name, body, now, 0, now, "")
            dropped = add_message(connection, row, WAITING_MAX)
            if dropped:
                self._count("dropped", dropped)
                log.warning("webhook messages dropped", extra={"webhook": webhook.name, "messages": dropped})

    async def keep_delivering(self) -> None:
        """Tell what is due, for ever."""
        while True:
            try:
                await self.deliver()
            except PosternError as error:
                log.warning("webhooks not told", extra={"code": error.code})
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def deliver(self) -> None:
        """Tell each webhook what is due, in order, until it fails. Raises StoreUnavailable."""
        await asyncio.gather(*(self._deliver(webhook) for webhook in self._webhooks))
        before = self._clock() - GIVEN_UP_KEPT_FOR

        def tidy(connection: sa.Connection) -> int:
            forget_messages(connection, before)
            return count_waiting(connection)

        self._metrics.webhooks_waiting.set(await self._database.run(tidy))

    async def try_out(self) -> tuple[tuple[str, str], ...]:
        """Send each webhook a message at once: its name, and "" or what went wrong."""
        body = trial(self._organisation, self._clock())
        answers = []
        for webhook in self._webhooks:
            try:
                await self._send(webhook, f"msg_{secrets.token_hex(12)}", body)
                answers.append((webhook.name, ""))
            except WebhookFailed as error:
                answers.append((webhook.name, error.detail))
        return tuple(answers)

    async def _deliver(self, webhook: Webhook) -> None:
        now = self._clock()
        rows = await self._database.run(
            lambda connection: due_messages(connection, webhook.name, now, MESSAGES_AT_A_TIME)
        )
        for row in rows:
            try:
                await self._send(webhook, row.id, row.body)
            except WebhookFailed as error:
                await self._failed(row, error.detail)
                return  # the others would fail as well, and it is not to be overrun
            self._count("told")
            await self._database.run(partial(message_told, message_id=row.id))

    async def _failed(self, row: MessageRow, error: str) -> None:
        # Chance only spreads attempts; nothing is kept secret by it.
        again = next_attempt(row.attempts + 1, self._clock(), random.random())  # noqa: S311
        self._count("failed" if again else "given_up")
        log.warning(
            "webhook failed", extra={"webhook": row.webhook, "error": error, "attempt": row.attempts + 1}
        )
        await self._database.run(
            lambda connection: message_failed(connection, row.id, error, again),
        )

    async def _send(self, webhook: Webhook, message_id: str, body: bytes) -> None:
        # Here, because commands that only read a row do without it.
        import aiohttp

        headers = signed_headers(webhook.secrets, message_id, int(self._clock().timestamp()), body)
        connector = aiohttp.TCPConnector(ssl=webhook.tls)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
                client.post(webhook.url, data=body, headers=headers, allow_redirects=False) as response,
            ):
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise WebhookFailed(f"It cannot be reached: {type(error).__name__}.") from None
        # A redirect is no answer either: it could lead anywhere.
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise WebhookFailed(f"It answered {status}.")

    def _count(self, outcome: str, number: int = 1) -> None:
        self._metrics.webhooks.labels(outcome).inc(number)


def _secret(name: str, path: Path) -> bytes:
    try:
        return read_secret(path.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigError(f"alerts.webhooks.{name}.secret_files: {path} cannot be read.") from None
    except ValueError as error:
        raise ConfigError(f"alerts.webhooks.{name}.secret_files: {error}.", remedy=MAKE_A_SECRET) from None


def _tls(settings: WebhookSettings) -> ssl.SSLContext:
    with suppress(OSError, ssl.SSLError):
        return ssl.create_default_context(cafile=settings.ca_file and str(settings.ca_file))
    raise ConfigError(f"alerts.webhooks.{settings.name}.ca_file: {settings.ca_file} holds no certificate.")
