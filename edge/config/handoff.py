"""How staff are told of a ticket, and how long it is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from core.network import is_loopback
from edge.config.section import Port, Section, require_inside


class SmtpSection(Section):
    """The site's own mail server, which tells staff of a ticket. Off without a host."""

    host: str | None = None
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    sender: str = "postern@localhost"
    recipients: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _stays_inside(self) -> SmtpSection:
        if self.host is None:
            return self
        require_inside(self.host)
        if not self.recipients:
            raise ValueError("name at least one of recipients")
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError('security = "none" is only for a mail server on this machine')
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        return self


class WebhookSection(Section):
    """A service of the site's own that is told of a ticket (Standard Webhooks). Off without an address."""

    url: str | None = None
    # Holds "whsec_" and the secret in base64, and nothing else.
    secret_file: Path | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _stays_inside(self) -> WebhookSection:
        if self.url is None:
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username:
            raise ValueError("url must be http(s)://HOST[:PORT]/PATH, without a login in it")
        require_inside(parts.hostname)
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("off this machine the webhook's url must be https")
        if self.secret_file is None:
            raise ValueError("secret_file is needed: the other side must be able to tell who calls")
        return self


class HandoffSection(Section):
    """Handing over to staff."""

    # A day: a ticket that nobody closed is forgotten with the day's work.
    keep_h: int = Field(default=24, ge=1, le=720)
    # Open at once. A conversation needs one, sometimes a second about something else.
    tickets_per_session_max: int = Field(default=3, ge=1, le=20)
    # More people than a desk can see to in a day.
    waiting_max: int = Field(default=200, ge=1, le=10_000)
    messages_max: int = Field(default=200, ge=4, le=2000)
    # Where staff's browsers find the console; named in notifications.
    console_url: str = ""
    smtp: SmtpSection = SmtpSection()
    webhook: WebhookSection = WebhookSection()

    @property
    def channels(self) -> tuple[str, ...]:
        """How staff are told of a ticket: names of edge.chat.notifications.Channel."""
        found = {"mail": self.smtp.host, "webhook": self.webhook.url}
        return tuple(name for name, address in found.items() if address is not None)
