"""The site's devices as one part of the node: its broker, where it has none, and the list of who is there.

Nothing here is needed to answer a customer: what cannot start is a loud fallback. The MQTT libraries are imported in
`start`, in a thread, because that takes longer than the node may take to be ready.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import PosternError
from core.files import private_folder
from edge import metrics
from edge.config import Config, SitePaths
from edge.fabric.address import KIOSK_LOGIN, BrokerAddress, publish_address
from edge.fabric.presence import Device

if TYPE_CHECKING:
    from edge.fabric.broker import EmbeddedBroker
    from edge.fabric.broker_access import Refused
    from edge.fabric.listener import PresenceListener

log = logging.getLogger(__name__)


class Devices:
    """Presence of the site's kiosks, through the broker that `[mqtt]` names."""

    def __init__(self, config: Config, paths: SitePaths, refused: Refused) -> None:
        """`refused`: writes down who is not let in at the node's own broker."""
        self._site = config.site.id
        self._mqtt = config.mqtt
        self._paths = paths
        self._refused = refused
        self._broker: EmbeddedBroker | None = None
        self._listener: PresenceListener | None = None

    async def start(self) -> None:
        """Start what is configured. Raises no PosternError: a broker that cannot be had is a loud fallback."""
        if self._mqtt.broker == "off":
            return
        try:
            address = await self._find_broker()
            listener = await asyncio.to_thread(importlib.import_module, "edge.fabric.listener")
            self._listener = listener.PresenceListener(self._site, address)
            await self._listener.start()
        except PosternError as error:
            metrics.fall_back("mqtt", error.code)
            log.warning(error.title, extra={"detail": error.detail, "remedy": error.remedy})

    async def stop(self) -> None:
        """Leave the broker, and end it if it is ours."""
        listener, self._listener = self._listener, None
        broker, self._broker = self._broker, None
        if listener is not None:
            await listener.stop()
        if broker is not None:
            await broker.stop()

    def snapshot(self) -> tuple[Device, ...]:
        """All devices as last heard, by id; empty without a broker."""
        return self._listener.snapshot() if self._listener is not None else ()

    async def _find_broker(self) -> BrokerAddress:
        """The node's own login at the site's broker; clients on this machine are told where it is."""
        mqtt, run = self._mqtt, private_folder(self._paths.run)
        if mqtt.broker == "external":
            address = BrokerAddress(mqtt.host, mqtt.port, mqtt.username, mqtt.password_file, mqtt.ca_file)
            publish_address(run, self._site, address)
            return address
        broker = await asyncio.to_thread(importlib.import_module, "edge.fabric.broker")
        self._broker = broker.EmbeddedBroker(self._site, self._paths.keys, self._refused, mqtt.port)
        address = await self._broker.start()
        kiosk = replace(address, username=KIOSK_LOGIN, password_file=self._broker.kiosk_password_file)
        publish_address(run, self._site, kiosk)
        return address
