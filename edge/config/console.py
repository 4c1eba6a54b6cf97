"""The staff's pages and how staff log in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from core.network import is_loopback
from edge.config.section import Section


class OidcSection(Section):
    """Login at the console through the organisation's own provider (OpenID Connect); off without an issuer."""

    issuer: str = ""
    client_id: str = ""
    client_secret_file: Path | None = None
    # The CA of the provider's certificate, where the system does not know it.
    ca_file: Path | None = None
    # The claim of the identity token that says what somebody is, and which of its values are which role here.
    role_claim: str = "roles"
    roles: dict[str, Literal["technician", "desk", "data-protection"]] = {}  # noqa: RUF012 - pydantic copies it

    @model_validator(mode="after")
    def _complete(self) -> OidcSection:
        """A provider that anybody could imitate, or that lets nobody in, is a mistake."""
        if self.issuer and not self.client_id:
            raise ValueError("client_id is needed with an issuer")
        if self.issuer and not self.roles:
            raise ValueError("roles is needed with an issuer: which value of the claim is which role")
        url = urlsplit(self.issuer)
        if (
            self.issuer
            and url.scheme != "https"
            and not (url.scheme == "http" and is_loopback(url.hostname or ""))
        ):
            raise ValueError("issuer must begin with https:// (http:// only on this machine)")
        return self


class ConsoleSection(Section):
    """The staff's pages at /console/."""

    # A desk that somebody walked away from (NIST SP 800-63B allows 30 minutes).
    idle_log_off_s: int = Field(default=900, ge=60, le=28_800)
    # From the first use of the break-glass account on: one bad hour, not a shift, and long enough to mend a login.
    break_glass_minutes: int = Field(default=60, ge=15, le=240)
    # The site's own proxy speaks TLS before the node: cookies and forms are then held to https, and where somebody
    # logs in from is the last entry of its X-Forwarded-For.
    behind_tls_proxy: bool = False
    oidc: OidcSection = OidcSection()
