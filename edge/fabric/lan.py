"""The node's side of the site's LAN as one part: broker, devices, announcement; started once the node serves.

Nothing here is needed to answer a customer, so nothing here may stop the node: what cannot start is a loud fallback.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.errors import PosternError
from edge.config import MqttSection
from edge.fabric.address import KIOSK_LOGIN, BrokerAddress, publish_address
from edge.fabric.broker import EmbeddedBroker
from edge.fabric.devices import Devices
from edge.fabric.discovery import Announcement, Announcer, Sibling
from edge.fabric.presence import Device

log = logging.getLogger(__name__)

OnFallback = Callable[[str, str], None]
"""Called with (component, reason), both from closed lists, when a part works less well than asked."""


class Lan:
    """Presence of devices and siblings. `announcement` None: the node is not announced."""

    def __init__(
        self,
        site: str,
        node_id: str,
        mqtt: MqttSection,
        keys: Path,
        run: Path,
        announcement: Announcement | None,
        on_fallback: OnFallback,
    ) -> None:
        self._site = site
        self._node_id = node_id
        self._mqtt = mqtt
        self._keys = keys
        self._run = run
        self._on_fallback = on_fallback
        self._announcer = Announcer(announcement) if announcement is not None else None
        self._broker: EmbeddedBroker | None = None
        self._devices: Devices | None = None

    async def start(self) -> None:
        """Start what is configured. Never raises PosternError: a part that cannot start is reported and left out."""
        await asyncio.gather(self._start_devices(), self._start_announcer())

    async def stop(self) -> None:
        """Stop all parts; each has its own limit, together under ten seconds."""
        if self._devices is not None:
            await self._devices.stop()
        if self._broker is not None:
            await self._broker.stop()
        if self._announcer is not None:
            await self._announcer.stop()

    def devices(self) -> tuple[Device, ...]:
        """Kiosks as last heard; empty without a broker."""
        return self._devices.snapshot() if self._devices is not None else ()

    def siblings(self) -> tuple[Sibling, ...]:
        """Nodes announced on the LAN; hints."""
        return self._announcer.siblings() if self._announcer is not None else ()

    async def _start_devices(self) -> None:
        if self._mqtt.broker == "off":
            return
        try:
            address = await self._find_broker()
            self._devices = Devices(self._site, self._node_id, address)
            await self._devices.start()
        except PosternError as error:
            self._report("mqtt", error)

    async def _find_broker(self) -> BrokerAddress:
        """The node's own login at the site's broker; clients on this machine are told where it is."""
        mqtt = self._mqtt
        if mqtt.broker == "external":
            address = BrokerAddress(mqtt.host, mqtt.port, mqtt.username, mqtt.password_file, mqtt.ca_file)
            publish_address(self._run, self._site, address)
            return address
        self._broker = EmbeddedBroker(self._site, self._keys, mqtt.port)
        address = await self._broker.start()
        kiosk = replace(address, username=KIOSK_LOGIN, password_file=self._broker.kiosk_password_file)
        publish_address(self._run, self._site, kiosk)
        return address

    async def _start_announcer(self) -> None:
        if self._announcer is None:
            return
        try:
            await self._announcer.start()
        except PosternError as error:
            self._report("discovery", error)

    def _report(self, component: str, error: PosternError) -> None:
        log.warning(
            error.title, extra={"component": component, "detail": error.detail, "remedy": error.remedy}
        )
        self._on_fallback(component, error.code)
