"""OpenID Connect, the console's side: authorization code with PKCE, and what an identity token must say.

OpenID Connect Core 1.0 (3.1), RFC 7636, RFC 9207. The rules are functions without I/O; `ProviderClient` speaks with the
provider, which is inside the site: its name is judged at each connection, and redirects are not followed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from core.errors import PosternError
from core.local_http import judged_connector
from core.network import is_loopback, local_addresses
from edge.config import OidcSection

log = logging.getLogger(__name__)

# Signatures that tell who signed; "none" and shared secrets do not.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
# How far two clocks of a site may be apart.
LEEWAY_S = 60
# A person waits; the provider is in the building.
TIMEOUT_S = 5.0
# Metadata and keys of a provider are a few KiB.
REPLY_BYTES_MAX = 256 * 1024
SECRET_BYTES = 32
_WELL_KNOWN = "/.well-known/openid-configuration"


class SignOnFailed(PosternError):
    """The organisation's login did not lead here."""

    code = "sign_on_failed"
    title = "The organisation's login was not accepted"
    remedy = "Begin again. If it fails again, tell a technician; a local account works all the same."
    status = 401


class SignOnAway(PosternError):
    """The organisation's provider does not answer as one should."""

    code = "sign_on_away"
    title = "The organisation's login cannot be reached"
    remedy = (
        "Log in with a local account, or the sealed one. A technician checks [console.oidc] in site.toml."
    )
    status = 503


class NoRoleHere(PosternError):
    """Known to the organisation, but nothing at this site."""

    code = "no_role_here"
    title = "Your account has no role at this site"
    remedy = "Ask whoever runs the organisation's accounts for a role that console.oidc.roles names."
    status = 403


@dataclass(frozen=True)
class Attempt:
    """One login under way: what must come back, and what only we know."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls) -> Attempt:
        """Three secrets."""
        return cls(*(secrets.token_urlsafe(SECRET_BYTES) for _ in range(3)))


@dataclass(frozen=True)
class Identity:
    """Whom the provider vouches for. `subject` holds the issuer, as subjects are its own."""

    subject: str
    name: str
    display_name: str
    roles: frozenset[str]


def authorization_url(endpoint: str, client_id: str, redirect_uri: str, attempt: Attempt) -> str:
    """Where the browser is sent."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=")
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": "openid profile",
        "state": attempt.state,
        "nonce": attempt.nonce,
        "code_challenge": challenge.decode(),
        "code_challenge_method": "S256",
    }
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"


def identity(
    token: str, keys: Mapping[str, Any], settings: OidcSection, nonce: str, now_s: float
) -> Identity:
    """What a token says of somebody. Raises SignOnFailed unless all of it is as it must be, NoRoleHere."""
    claims = _claims(token, keys, settings, nonce, now_s)
    subject, roles = str(claims["sub"]), _roles(claims.get(settings.role_claim), settings)
    if not roles:
        raise NoRoleHere
    name = str(claims.get("preferred_username") or subject)
    return Identity(f"{settings.issuer}|{subject}", name, str(claims.get("name") or ""), roles)


def _claims(
    token: str, keys: Mapping[str, Any], settings: OidcSection, nonce: str, now_s: float
) -> dict[str, Any]:
    registry = jwt.JWTClaimsRegistry(
        now=int(now_s),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        found = jwt.decode(token, KeySet.import_key_set(dict(keys)), algorithms=ALGORITHMS)  # type: ignore[arg-type]
        registry.validate(found.claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SignOnFailed(f"The identity token is not valid: {type(error).__name__}.") from None
    audiences = found.claims["aud"]
    alone = audiences in (settings.client_id, [settings.client_id])
    if not alone and found.claims.get("azp") != settings.client_id:
        raise SignOnFailed("The identity token is for somebody else.")
    return dict(found.claims)


def _roles(value: object, settings: OidcSection) -> frozenset[str]:
    """The site's roles for the values of the claim; a single one may be plain text."""
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return frozenset(settings.roles[one] for one in values if isinstance(one, str) and one in settings.roles)


class ProviderClient:
    """The provider at its address. Each login asks it afresh: logins are rare, keys change."""

    def __init__(self, settings: OidcSection, secret: str, tls: ssl.SSLContext | None = None) -> None:
        self._settings = settings
        self._secret = secret
        self._tls = tls

    async def begin(self, redirect_uri: str, attempt: Attempt) -> str:
        """Where to send the browser. Raises SignOnAway, NotLocal."""
        endpoint = (await self._discover())["authorization_endpoint"]
        return authorization_url(endpoint, self._settings.client_id, redirect_uri, attempt)

    async def finish(self, code: str, redirect_uri: str, attempt: Attempt) -> Identity:
        """Who has logged in. Raises SignOnFailed, SignOnAway, NoRoleHere, NotLocal."""
        provider = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._settings.client_id,
            "code_verifier": attempt.verifier,
        }
        status, reply = await self._send("POST", provider["token_endpoint"], form)
        token = reply.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise SignOnFailed("The provider did not accept the login's code.")
        status, keys = await self._send("GET", provider["jwks_uri"])
        if status != 200:
            raise SignOnAway("The provider does not show its keys.")
        return identity(token, keys, self._settings, attempt.nonce, time.time())

    async def _discover(self) -> dict[str, str]:
        """The provider's endpoints. It must call itself what the site calls it (OpenID Connect Discovery 4.3)."""
        status, found = await self._send("GET", self._settings.issuer.rstrip("/") + _WELL_KNOWN)
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        if status != 200 or found.get("issuer") != self._settings.issuer:
            raise SignOnAway("The provider does not call itself by the issuer's address.")
        endpoints = {name: str(found.get(name, "")) for name in names}
        for address in endpoints.values():
            _require_safe(address)
        return endpoints

    async def _send(
        self, method: str, url: str, form: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        connector = judged_connector(await local_addresses(parts.hostname or "", port), self._tls)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        headers = {"Authorization": self._basic()} if form and self._secret else {}
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
                client.request(method, url, data=form, headers=headers, allow_redirects=False) as response,
            ):
                raw = await response.content.read(REPLY_BYTES_MAX + 1)
                found = json.loads(raw) if len(raw) <= REPLY_BYTES_MAX else None
                return response.status, found if isinstance(found, dict) else {}
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("the login provider does not answer", extra={"error": type(error).__name__})
            raise SignOnAway("The organisation's login does not answer.") from None

    def _basic(self) -> str:
        """Both parts are encoded as in a form before they are joined (RFC 6749, 2.3.1)."""
        return aiohttp.encode_basic_auth(quote_plus(self._settings.client_id), quote_plus(self._secret))


def _require_safe(address: str) -> None:
    """Tokens go over TLS, or do not leave this machine."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise SignOnAway("The provider names an address without TLS.")
