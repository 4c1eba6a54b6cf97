"""How the courier reaches the control plane."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import model_validator

from edge.config.section import Section


class ProxySection(Section):
    """The site's HTTP proxy, which opens a tunnel (CONNECT). Off without an address.

    `ca_file`: whose certificates are believed of an `https://` one; none: the system's.
    """

    url: str | None = None
    ca_file: Path | None = None
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
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port is None:
            raise ValueError("url must be https://HOST:PORT or http://HOST:PORT")
        if parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError("url must end with its port; a login goes into username and password_file")
        if self.ca_file is not None and parts.scheme == "http":
            raise ValueError(
                "ca_file is for a url of https://: over http:// there is no certificate to look at"
            )
        return self


class EgressSection(Section):
    """The way out, which is the courier's alone."""

    proxy: ProxySection = ProxySection()
