"""What a browser is told to refuse, and how a form proves that it is ours. Pure."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Sequence

from core.signing import content_hash

# Everything from ourselves, nothing inline, no frames: a script that somebody smuggles in does not run.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": under it Chromium sends `Origin: null` with our own forms, which `same_origin` refuses.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# A year, only over TLS.
STRICT_TRANSPORT = "max-age=31536000"
# One customer's network (RFC 6177): within it a machine takes what address it likes.
IPV6_NETWORK_BITS = 64
_WITH_PORT = re.compile(r"\[([^\[\]]+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+")
_COOKIE_VALUE = re.compile(r"[A-Za-z0-9_-]{20,100}")


def csrf_token(cookie: str) -> str:
    """The token for forms of the visitor with this cookie, which scripts and other sites cannot read."""
    return hmac.new(cookie.encode(), b"postern form", hashlib.sha256).hexdigest()


def csrf_matches(cookie: str, token: str) -> bool:
    """Whether a form came from a page of ours."""
    return hmac.compare_digest(csrf_token(cookie).encode(), token.encode())


def same_origin(origin: str | None, host: str, secure: bool) -> bool:
    """Whether the Origin header, where a browser sends one, names this server."""
    return origin is None or origin == f"{'https' if secure else 'http'}://{host}"


def client_address(peer: str, forwarded: Sequence[str], behind_proxy: bool) -> str:
    """Where a request comes from: an IPv4 address, or the network of an IPv6 address.

    `forwarded`: the request's X-Forwarded-For headers, of which the site's own proxy wrote the last entry, some with a
    port; what stands before it anybody can have written. Without a proxy, or where it is no address, the peer.
    """
    last_hop = ",".join(forwarded).rpartition(",")[2].strip() if behind_proxy else ""
    return _origin(last_hop) or _origin(peer) or peer


def _origin(written: str) -> str:
    """What stands for an address in limits and logins; empty if it is none."""
    found = _WITH_PORT.fullmatch(written)
    bare = (found[1] or found[2]) if found else written
    try:
        address = ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))


def browser_of(address: str, user_agent: str) -> bytes:
    """What a login is bound to (RFC 6265bis 8.4 leaves theft of cookies to the server): address and kind of browser."""
    return content_hash(f"{address}\n{user_agent}".encode("utf-8", "replace"))


def is_cookie_value(value: str) -> bool:
    """Whether a cookie looks like one that we set."""
    return _COOKIE_VALUE.fullmatch(value) is not None
