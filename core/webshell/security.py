"""What a browser is told to refuse, and how a form proves that it is ours. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re

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


def is_cookie_value(value: str) -> bool:
    """Whether a cookie looks like one that we set."""
    return _COOKIE_VALUE.fullmatch(value) is not None
