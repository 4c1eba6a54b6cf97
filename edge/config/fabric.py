"""The site's network: the broker of the kiosks, and announcing the node."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from edge.config.section import Port, Section, require_inside


class MqttSection(Section):
    """The broker that kiosks report their presence to."""

    broker: Literal["embedded", "external", "off"] = "embedded"
    host: str = "127.0.0.1"
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.broker == "external":
            require_inside(self.host)
        return self


class DiscoverySection(Section):
    """Announcing the node on the LAN (zeroconf); a hint only, never trust."""

    enabled: bool = True
