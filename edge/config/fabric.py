"""The site's network: the broker of the kiosks, and announcing the node."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from edge.config.section import Port, Section


class MqttSection(Section):
    """The broker that kiosks report their presence to."""

    broker: Literal["embedded", "external", "off"] = "embedded"
    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None


class DiscoverySection(Section):
    """Announcing the node on the LAN (zeroconf); a hint only, never trust."""

    enabled: bool = True
