"""Hears presence at one broker. paho runs on its own thread; its news cross into the event loop one by one.

Not a command channel: nothing is published here, and a presence message is never trusted for more than a list.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt

from edge.fabric.address import BrokerAddress
from edge.fabric.client import KEEP_ALIVE_S, new_client
from edge.fabric.presence import Device, Presence, Roster, parse, topic_of

log = logging.getLogger(__name__)

# Stopping waits for paho's thread; it wakes at least once a second.
STOP_S_MAX = 3.0


class PresenceListener:
    """Presence of the site's kiosks. All state lives in the event loop; `snapshot` may be called from there only."""

    def __init__(self, site: str, address: BrokerAddress) -> None:
        self._site = site
        self._address = address
        self._roster = Roster()
        self._client_id = f"postern-node-{site}"
        self._client: mqtt.Client | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = asyncio.Event()
        self.dropped: Counter[str] = Counter()
        """Messages without meaning, by reason."""

    @property
    def connected(self) -> bool:
        """True while subscribed at the broker."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Begin to connect, and go on trying; does not wait for the broker. Raises ConfigError (files)."""
        self._loop = asyncio.get_running_loop()
        client = new_client(self._client_id, self._address)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.connect_async(self._address.host, self._address.port, KEEP_ALIVE_S)
        client.loop_start()
        self._client = client

    async def wait_connected(self, timeout_s: float) -> None:
        """Wait until subscribed. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            await self._ready.wait()

    async def stop(self) -> None:
        """Disconnect and end paho's thread."""
        client, self._client = self._client, None
        if client is None:
            return
        client.disconnect()
        try:
            async with asyncio.timeout(STOP_S_MAX):
                await asyncio.to_thread(client.loop_stop)
        except TimeoutError:
            log.warning("the MQTT thread did not end in time", extra={"limit_s": STOP_S_MAX})

    def snapshot(self) -> tuple[Device, ...]:
        """All devices as last heard."""
        return self._roster.snapshot()

    # --- paho's thread ---

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            log.warning("the MQTT broker refused the node", extra={"reason": str(reason)})
            return
        client.subscribe(topic_of(self._site, "+"), qos=1)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: Any, _mid: int, reasons: list[Any], _properties: Any
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.warning("the MQTT broker refused the subscription to presence")
            return
        self._hand_over(self._ready.set)

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, _flags: mqtt.DisconnectFlags, _reason: Any, _properties: Any
    ) -> None:
        self._hand_over(self._lost)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._hand_over(self._arrived, topic, message.payload, message.retain)

    def _hand_over(self, function: Any, *arguments: Any) -> None:
        """Call `function` in the event loop; a loop that has closed wants no more news."""
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            log.debug("news from MQTT after the event loop closed")

    # --- the event loop ---

    def _arrived(self, topic: str, payload: bytes, retained: bool) -> None:
        presence = parse(self._site, topic, payload)
        if not isinstance(presence, Presence):
            self.dropped[presence] += 1
        elif not self._roster.apply(presence, None if retained else datetime.now(UTC)):
            self.dropped["full"] += 1

    def _lost(self) -> None:
        self._ready.clear()
        self._roster.lose_broker()
