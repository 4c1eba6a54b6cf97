"""One-time codes, and what they are exchanged for: a node's identity."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.steering import require_node
from cloud_sync.fleet.views import CodeView, NewCode
from cloud_sync.store.audit import AuditRow, add_audit, add_refusal
from cloud_sync.store.codes import (
    CodeRow,
    add_code,
    code_spent_by,
    code_state,
    place_of_code,
    recent_codes,
    spend_code,
)
from cloud_sync.store.database import Database
from cloud_sync.store.desired import next_generation
from cloud_sync.store.nodes import (
    ACTIVE,
    DEFAULT_GROUP,
    NodeRow,
    add_node,
    count_at_site,
    replace_machine,
    steer,
)
from cloud_sync.store.streams import fence
from core import identity
from core.attempts import AttemptLimit, TooManyAttempts
from core.errors import PosternError
from core.signing import content_hash

# Wrong codes a minute: from one address (a technician mistypes two or three times), and from all together. The
# secret has 80 bits, so the limit protects the database from load rather than the code from guessing.
ATTEMPTS_PER_ADDRESS = 10
ATTEMPTS_TOGETHER = 300
ATTEMPTS_WINDOW_S = 60.0
_TOGETHER = "together"

SITE_CHARACTERS_MAX = 80
# 40 random bits: should two nodes ever share them, the insert fails and the code stays unspent.
NODE_ID_RANDOM_BYTES = 5
CODES_SHOWN_MAX = 20


class CodeRefused(PosternError):
    """The one-time code is unknown, spent or expired. Which of these is not said."""

    code = "code_refused"
    title = "The one-time code is not accepted"
    remedy = (
        "Ask for a new code: `postern-cloud enroll-code new`, or the page “Enrolment codes” of the console."
    )
    status = 401


class InvalidSite(PosternError):
    """A site's name is too long or has control characters."""

    code = "invalid_site"
    title = "The site's name cannot be used"
    remedy = f"Use at most {SITE_CHARACTERS_MAX} printable characters."
    status = 400


@dataclass(frozen=True)
class Enrolled:
    """A node's new identity."""

    node_id: str
    site: str
    certificate_pem: bytes
    authority_pem: bytes


@dataclass(frozen=True)
class EnrolmentTerms:
    """What enrolment needs to know; every duration is the operator's decision."""

    fingerprint: bytes
    """Of the enrolment port's certificate."""
    node_validity: timedelta
    code_validity: timedelta


class Enrolment:
    """Issues codes, and identities for codes."""

    def __init__(
        self,
        database: Database,
        authority: identity.Authority,
        terms: EnrolmentTerms,
        metrics: FleetMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._authority = authority
        self._terms = terms
        self._metrics = metrics
        self._clock = clock
        self._by_address = AttemptLimit(ATTEMPTS_PER_ADDRESS, ATTEMPTS_WINDOW_S)
        self._together = AttemptLimit(ATTEMPTS_TOGETHER, ATTEMPTS_WINDOW_S)

    async def new_code(self, site: str, actor: str, endpoint: str) -> NewCode:
        """A new one-time code for a site; `endpoint` is where it is to be spent. Raises InvalidSite."""
        site = _checked_site(site)
        return await self._new_code(lambda _: (site, None), actor, endpoint)

    async def replacement_code(self, node_id: str, actor: str, endpoint: str) -> NewCode:
        """A new one-time code that gives another machine the place of this node. Raises UnknownNode."""
        return await self._new_code(
            lambda connection: (require_node(connection, node_id).site, node_id), actor, endpoint
        )

    async def _new_code(
        self, place: Callable[[sa.Connection], tuple[str, str | None]], actor: str, endpoint: str
    ) -> NewCode:
        """`place`: the site that it is for, and the node that it replaces."""
        code, now = identity.new_code(self._terms.fingerprint), self._clock()

        def write(connection: sa.Connection) -> CodeRow:
            site, replaces = place(connection)
            row = CodeRow(site, now, actor, now + self._terms.code_validity, replaces=replaces)
            add_code(connection, _hash(code.secret), row)
            detail = f"for {site}, in the place of {replaces}" if replaces else ""
            add_audit(connection, AuditRow(now, actor, "code.created", replaces or site, detail))
            return row

        row = await self._database.run(write)
        command = f"postern enroll --site DIR --cloud {endpoint} --code {code}"
        return NewCode(str(code), row.site, row.expires_at, command)

    async def codes(self) -> tuple[CodeView, ...]:
        """Open codes, then the newest others."""
        now = self._clock()
        rows = await self._database.run(lambda connection: recent_codes(connection, now, CODES_SHOWN_MAX))
        return tuple(_code_view(row, now) for row in rows)

    async def redeem(self, secret: str, signing_request: bytes, version: str, address: str) -> Enrolled:
        """Spend a code and name the node. A bad signing request leaves the code unspent.

        Raises TooManyAttempts, InvalidSigningRequest, CodeRefused.
        """
        now = self._clock()
        try:
            self._count_attempt(address)
            enrolled = await self._redeem(secret, signing_request, version, now)
        except (TooManyAttempts, identity.InvalidSigningRequest, CodeRefused) as error:
            self._metrics.enrolments.labels("refused").inc()
            await self._database.run(partial(_write_down, error=error, secret=secret, now=now))
            raise
        self._metrics.enrolments.labels("enrolled").inc()
        self._by_address.succeeded(address)
        self._together.succeeded(_TOGETHER)
        return enrolled

    async def _redeem(self, secret: str, signing_request: bytes, version: str, now: datetime) -> Enrolled:
        place = await self._database.run(partial(place_of_code, secret_hash=_hash(secret)))
        node_id = place or f"node-{identity.new_secret(NODE_ID_RANDOM_BYTES).lower()}"
        validity = self._terms.node_validity
        pem = identity.issue_node_certificate(
            self._authority, signing_request, node_id, now=now, validity=validity
        )
        fingerprint = identity.certificate_fingerprint(pem)

        def write(connection: sa.Connection) -> str | None:
            site = spend_code(connection, _hash(secret), now)
            if site is None:
                return None
            if place is None:
                node = _new_node(connection, node_id, site, fingerprint, now, now + validity)
                add_node(connection, replace(node, software_version=version))
            else:
                _take_place(connection, place, fingerprint, now + validity, version)
            code_spent_by(connection, _hash(secret), node_id)
            action = "node.enrolled" if place is None else "node.replaced"
            add_audit(connection, AuditRow(now, "enrolment", action, node_id, site))
            return site

        site = await self._database.run(write)
        if site is None:
            raise CodeRefused()
        return Enrolled(node_id, site, pem, self._authority.certificate_pem)

    def _count_attempt(self, address: str) -> None:
        now_s = time.monotonic()
        self._by_address.begin(address, now_s)
        self._together.begin(_TOGETHER, now_s)


def _write_down(connection: sa.Connection, *, error: PosternError, secret: str, now: datetime) -> None:
    """Why an enrolment was refused, which the other side is not told; whose site's code it was, if anybody's."""
    site, state = code_state(connection, _hash(secret), now)
    detail = f"code {state}" if isinstance(error, CodeRefused) else error.code
    add_refusal(connection, AuditRow(now, "enrolment", "node.refused", site, detail))


def _take_place(
    connection: sa.Connection, node_id: str, fingerprint: bytes, expires: datetime, version: str
) -> None:
    """The old machine may write nothing from this moment on, and its open stream ends."""
    changed = next_generation(connection)
    fence(connection, node_id, replace_machine(connection, node_id, fingerprint, expires, version))
    steer(connection, [node_id], changed)


def _new_node(
    connection: sa.Connection, node_id: str, site: str, fingerprint: bytes, now: datetime, expires: datetime
) -> NodeRow:
    number = 1 + count_at_site(connection, site)
    return NodeRow(
        id=node_id,
        site=site,
        name=f"{site} {number}",
        group_name=DEFAULT_GROUP,
        status=ACTIVE,
        certificate_fingerprint=fingerprint,
        certificate_expires=expires,
        enrolled_at=now,
    )


def _hash(secret: str) -> bytes:
    # A plain hash is enough for 80 random bits; a slow one is for passwords.
    return content_hash(secret.upper().encode())


def _checked_site(site: str) -> str:
    site = " ".join(site.split()) or "Unnamed site"
    if len(site) > SITE_CHARACTERS_MAX or not site.isprintable():
        raise InvalidSite("It is too long, or has characters that cannot be shown.")
    return site


def _code_view(row: CodeRow, now: datetime) -> CodeView:
    state = "spent" if row.spent_at else "expired" if row.expires_at <= now else "open"
    return CodeView(row.site, row.created_at, row.created_by, row.expires_at, state, row.node_id)
