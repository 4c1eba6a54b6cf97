"""How the courier reaches the control plane."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import model_validator

from edge.config.section import Section


class ProxySection(Section):
    """The site's HTTP proxy, which opens a tunnel (CONNECT). Off without an address."""

    url: str | None = None
    username: str | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _can_be_used(self) -> ProxySection:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        if self.username is not None and (":" in self.username or not self.username.isprintable()):
            raise ValueError("a colon, or what cannot be printed, cannot stand in username")
        if self.url is None:
            return self
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            raise ValueError("url must be http://HOST:PORT: TLS to the proxy itself is not supported")
        if parts.scheme != "http" or not parts.hostname or parts.port is None:
            raise ValueError("url must be http://HOST:PORT")
        if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("url must be http://HOST:PORT; a login goes into username and password_file")
        return self


class EgressSection(Section):
    """The way out, which is the courier's alone."""

    proxy: ProxySection = ProxySection()
