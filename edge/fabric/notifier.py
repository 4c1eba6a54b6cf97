"""Sends what is due of the notifications, each way of telling beside the others, and keeps what became of them.

At least once: a notification is marked as sent after the other side took it, and goes out under the same identifier
when the node dies in between. A row before the first byte (`lan_uses`), so that the customer's receipt tells of it;
what was sent is counted in bytes by kind; no text of it is logged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from sqlite_utils import Database

from core.errors import PosternError
from edge import metrics
from edge.chat import notifications
from edge.chat.notifications import Channel, Delivery, Notification
from edge.chat.session_rows import now_ms
from edge.config import Config
from edge.fabric.delivery import Carrier, Notice
from edge.store import lan_uses
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
        channel, notice = notification.channel, self._notice(notification)
        carrier = self._carriers[channel]
        size = carrier.size(notice)
        # Where it cannot be written down nothing is sent: the error ends this round.
        use = await self._store.write(
            partial(
                lan_uses.begin,
                service=channel,
                host=carrier.host,
                size=size,
                session=notification.session,
                at_ms=now_ms(),
            )
        )
        try:
            await carrier.send(notice)
        except PosternError as error:
            await self._store.write(partial(lan_uses.end, use=use, outcome=error.code))
            state = await self._store.write(lambda db: notifications.failed(db, notification, now_ms()))
            self._failed(channel, error.code, state)
            return
        await self._store.write(partial(_taken, notification=notification.id, use=use))
        self.last_errors.pop(channel, None)
        metrics.recover(f"notify_{channel}")
        metrics.notifications.labels(channel, "sent").inc()
        metrics.notification_bytes.labels(channel).inc(size)
        log.info("staff were told of a ticket", extra={"channel": channel, "bytes": size})

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


def _taken(db: Database, notification: int, use: int) -> None:
    notifications.sent(db, notification)
    lan_uses.end(db, use, lan_uses.WHOLE)
