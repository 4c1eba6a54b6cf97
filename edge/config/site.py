"""Who the site is, where it listens, and what it counts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from core.network import is_loopback
from edge.config.section import Port, Section


class SiteSection(Section):
    """Who this is."""

    name: str = Field(min_length=1, max_length=120)
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    locale: str = "en"
    # Country (ISO 3166) by whose rules a phone number without a country code is read.
    region: str = Field(default="US", pattern=r"^[A-Z]{2}$")
    suggestions: tuple[str, ...] = ()
    # What a customer means by "you" in "When are you open?", in the documents' words: "the clinic".
    you: str = Field(default="", max_length=60)


class HttpSection(Section):
    """The node's own HTTP server."""

    host: str = "127.0.0.1"
    port: Port = 8080

    @property
    def loopback(self) -> bool:
        """True when only this machine can connect."""
        return is_loopback(self.host)


class TelemetrySection(Section):
    """What goes up without being asked: counts per bucket, small cells suppressed."""

    bucket_s: Literal[10, 60, 3600] = 3600
