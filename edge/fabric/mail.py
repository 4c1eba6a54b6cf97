"""Telling staff by mail, over a mail server of the site's own network (SMTP, RFC 5321; STARTTLS or TLS, RFC 8314)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from core.errors import ConfigError, NotReachable
from core.network import local_addresses
from edge.config import SmtpSection
from edge.fabric.delivery import DELIVERY_TIMEOUT_S, DeliveryFailed, Notice


def letter(notice: Notice, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """The mail: number, time, site, console."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Subject"] = f"{notice.site}: ticket {notice.ticket} is waiting"
    message["Date"] = format_datetime(notice.created)
    message["Message-ID"] = f"<{notice.id}@{notice.site_id}.invalid>"
    # Nobody's holiday notice answers a machine (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    lines = [
        f"Somebody at {notice.site} asks for a member of staff.",
        "",
        f"Ticket: {notice.ticket}",
        f"Since:  {notice.created:%Y-%m-%d %H:%M} UTC",
    ]
    if notice.console_url:
        lines += ["", f"Answer it here: {notice.console_url}"]
    message.set_content("\n".join(lines) + "\n")
    return message


class MailCarrier:
    """Sends mails through the server that the site names."""

    def __init__(self, settings: SmtpSection) -> None:
        """Raises ConfigError when the password or the CA cannot be read."""
        assert settings.host is not None
        self._settings = settings
        self.host = settings.host
        self._password = _password(settings)
        self._tls = _tls(settings)

    def size(self, notice: Notice) -> int:
        """See Carrier."""
        return len(self._letter(notice).as_bytes())

    async def send(self, notice: Notice) -> None:
        """See Carrier."""
        message = self._letter(notice)
        addresses = await local_addresses(self.host, self._settings.port)
        try:
            async with asyncio.timeout(DELIVERY_TIMEOUT_S):
                with await _connect(addresses, self._settings.port) as connection:
                    await self._hand_over(connection, message)
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryFailed(f"The mail server answered {error.code}.") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError) as error:
            raise DeliveryFailed(f"The mail server failed: {type(error).__name__}.") from None

    def _letter(self, notice: Notice) -> EmailMessage:
        return letter(notice, self._settings.sender, self._settings.recipients)

    async def _hand_over(self, connection: socket.socket, message: EmailMessage) -> None:
        security = self._settings.security
        client = aiosmtplib.SMTP(
            hostname=self.host,
            sock=connection,
            local_hostname=_literal(connection),
            username=self._settings.username,
            password=self._password,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=self._tls,
            timeout=DELIVERY_TIMEOUT_S,
        )
        async with client:
            refused, _ = await client.send_message(message)
        if refused:
            raise DeliveryFailed(f"The mail server refused {len(refused)} of the recipients.")


async def _connect(addresses: list[str], port: int) -> socket.socket:
    """A connection to the first address that answers: addresses that were judged, no name. Raises NotReachable."""
    for address in addresses:
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except OSError:
            connection.close()
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise NotReachable("The mail server does not answer.")


def _literal(connection: socket.socket) -> str:
    """Who we say we are: our address, as RFC 5321 §4.1.3 writes it; a name would have to be looked up."""
    address = connection.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _password(settings: SmtpSection) -> str | None:
    if settings.password_file is None:
        return None
    with suppress(OSError, UnicodeDecodeError):
        return settings.password_file.read_text(encoding="utf-8").strip()
    raise ConfigError(f"handoff.smtp.password_file: {settings.password_file} cannot be read.")


def _tls(settings: SmtpSection) -> ssl.SSLContext | None:
    if settings.security == "none":
        return None
    with suppress(OSError, ssl.SSLError):
        return ssl.create_default_context(cafile=settings.ca_file and str(settings.ca_file))
    raise ConfigError(f"handoff.smtp.ca_file: {settings.ca_file} holds no certificate.")
