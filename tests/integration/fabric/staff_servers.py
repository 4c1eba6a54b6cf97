"""A site's own servers: a real mail server (aiosmtpd), a real webhook receiver (aiohttp) that checks who calls."""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SECRET = b"0123456789abcdef0123456789abcdef"
SECRET_TEXT = "whsec_" + base64.b64encode(SECRET).decode() + "\n"
LOGIN = ("postern", "correct horse")


@dataclass
class MailServer:
    """What arrived, and what the server does next."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    answer: str = "250 OK"
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(message_from_bytes(envelope.content))
            self.envelopes.append(envelope)
            self.arrived.set()
        return self.answer


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    return AuthResult(success=(data.login.decode(), data.password.decode()) == LOGIN, handled=False)


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, login: bool = False, port: int = 0
) -> AsyncIterator[MailServer]:
    """A mail server on this machine: plain, STARTTLS required, or TLS from the start."""
    running = MailServer()
    options: dict[str, Any] = {"authenticator": _authenticate, "auth_required": login}
    if tls and not implicit:
        options |= {"tls_context": tls, "require_starttls": True}
    elif tls:
        options["auth_require_tls"] = (
            False  # the whole connection is TLS; aiosmtpd only knows its own STARTTLS
        )
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(running, hostname="mail.test", loop=loop, **options), "127.0.0.1", port,
        ssl=tls if implicit else None,
    )  # fmt: skip
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Receiver:
    """What arrived with a good signature, and what the receiver does next."""

    url: str = ""
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    status: int = 204
    location: str | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = request.headers
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
        if headers["webhook-signature"] != f"v1,{expected}":
            return web.Response(status=401)
        if self.status < 300:
            self.got.append((headers["webhook-id"], json.loads(body)))
            self.raw.append(body)
            self.arrived.set()
        return web.Response(status=self.status, headers={"Location": self.location} if self.location else {})


@asynccontextmanager
async def receiver(tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Receiver]:
    """A webhook receiver on this machine."""
    running = Receiver()
    application = web.Application()
    application.router.add_post("/tickets", running.handle)
    runner = web.AppRunner(application, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
    running.url = f"{scheme}://{host}:{runner.addresses[0][1]}/tickets"
    try:
        yield running
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class SiteAuthority:
    """A site's CA: its certificate's file, and TLS for a server called localhost."""

    ca_file: Path
    server: ssl.SSLContext


def site_authority(folder: Path) -> SiteAuthority:
    """A fresh one."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Site CA")])
    ca = _certificate(ca_name, ca_name, ca_key, ca_key, ca=True)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = _certificate(name, ca_name, key, ca_key, ca=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return SiteAuthority(folder / "ca.pem", server)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .sign(signer, hashes.SHA256())
    )
