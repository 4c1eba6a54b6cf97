"""Sends what is due of the notifications, each way of telling beside the others, and keeps what became of them.

At least once: a notification is marked as sent after the other side took it, and goes out under the same identifier
when the node dies in between. What was sent is counted in bytes by kind; no text of it is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from core.errors import PosternError
from edge import metrics
from edge.chat import notifications
from edge.chat.notifications import Channel, Delivery, Notification
from edge.chat.session_rows import now_ms
from edge.config import Config
from edge.fabric.delivery import Carrier, Notice
from edge.store.store import Store

log = logging.getLogger(__name__)

# Retries are due at any time; a new ticket wakes the notifier at once.
LOOK_INTERVAL_S = 5.0
# Of each kind in one go.
BATCH_MAX = 20


def carriers_of(config: Config) -> dict[Channel, Carrier]:
    """The ways of telling staff that the site has set. Raises ConfigError.

    Their libraries are loaded only where they are used: a node starts sooner without.
    """
    found: dict[Channel, Carrier] = {}
    if config.handoff.smtp.host is not None:
        from edge.fabric.mail import MailCarrier

        found[Channel.MAIL] = MailCarrier(config.handoff.smtp)
    if config.handoff.webhook.url is not None:
        from edge.fabric.webhook import WebhookCarrier

        found[Channel.WEBHOOK] = WebhookCarrier(config.handoff.webhook)
    return found


class Notifier:
    """The queue's only consumer."""

    def __init__(self, config: Config, store: Store, carriers: Mapping[Channel, Carrier]) -> None:
        self._config = config
        self._store = store
        self._carriers = carriers
        self._woken = asyncio.Event()
        self.last_errors: dict[str, str] = {}

    def wake(self) -> None:
        """There is a new ticket."""
        self._woken.set()

    async def run(self) -> None:
        """For as long as the node runs."""
        while self._carriers:
            self._woken.clear()
            try:
                await self.deliver(now_ms())
            except PosternError as error:  # of the store; those of a carrier are handled one by one
                log.warning("notifications are sent later", extra={"code": error.code})
            try:
                async with asyncio.timeout(LOOK_INTERVAL_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def deliver(self, at_ms: int) -> None:
        """Send what is due at `at_ms`."""
        await asyncio.gather(*(self._deliver(channel, at_ms) for channel in self._carriers))

    async def _deliver(self, channel: Channel, at_ms: int) -> None:
        due = await self._store.read(lambda db: notifications.due(db, channel, at_ms, BATCH_MAX))
        for notification in due:
            await self._send(notification)

    async def _send(self, notification: Notification) -> None:
        channel = notification.channel
        try:
            sent_bytes = await self._carriers[channel].send(self._notice(notification))
        except PosternError as error:
            state = await self._store.write(lambda db: notifications.failed(db, notification, now_ms()))
            self._failed(channel, error.code, state)
            return
        await self._store.write(lambda db: notifications.sent(db, notification.id))
        self.last_errors.pop(channel, None)
        metrics.recover(f"notify_{channel}")
        metrics.notifications.labels(channel, "sent").inc()
        metrics.notification_bytes.labels(channel).inc(sent_bytes)
        log.info("staff were told of a ticket", extra={"channel": channel, "bytes": sent_bytes})

    def _failed(self, channel: Channel, code: str, state: Delivery) -> None:
        self.last_errors[channel] = code
        metrics.fall_back(f"notify_{channel}", code)
        metrics.notifications.labels(channel, "given_up" if state is Delivery.GIVEN_UP else "failed").inc()
        log.warning("staff could not be told", extra={"channel": channel, "code": code, "state": state})

    def _notice(self, notification: Notification) -> Notice:
        site = self._config.site
        return Notice(
            f"{notification.ticket}.{notification.id}",
            notification.ticket,
            notification.created_ms,
            site.name,
            site.id,
            self._config.handoff.console_url,
        )
