"""A node's next certificate: renewed while the old one holds, or after it expired, against proof of its key."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa

from cloud_sync.fleet.admission import NodeRefused, admit, adopt, holder
from cloud_sync.fleet.metrics import FleetMetrics
from cloud_sync.fleet.nonces import Nonces
from cloud_sync.store.audit import AuditRow, add_audit, add_refusal
from cloud_sync.store.database import Database
from cloud_sync.store.nodes import offer_certificate
from core import identity
from core.attempts import AttemptLimit, TooManyAttempts
from core.errors import PosternError

# A node renews once in half a certificate's life; one that asks so often is broken, and signatures cost time. Counted
# by certificate: a machine that was replaced must not use up what its successor has.
RENEWALS_PER_NODE, RENEWALS_WINDOW_S = 30, 3600.0
# Of proofs, which anybody may try: as of one-time codes. Together count those alone whose signature holds: else a few
# addresses would shut out everybody.
PROOFS_PER_ADDRESS, PROOFS_TOGETHER, PROOFS_WINDOW_S = 10, 300, 60.0
_TOGETHER = "together"
# Clocks of replicas differ: TLS at one may see an end that another does not see yet.
EARLY = timedelta(minutes=5)


class ProofRefused(PosternError):
    """A certificate could not be renewed after its end. Which of its reasons it was is not said."""

    code = "proof_refused"
    title = "The expired certificate is not accepted"
    remedy = "Enrol the node again with a new one-time code; postern-cloud node replace keeps its place."
    status = 401


@dataclass(frozen=True)
class RenewalTerms:
    """The operator's decisions."""

    node_validity: timedelta
    reattest_within: timedelta
    """So long after a certificate's end its key still proves who somebody is."""


@dataclass(frozen=True)
class Proof:
    """What a node shows whose certificate has expired."""

    nonce: bytes
    certificate_pem: bytes
    signature: bytes
    signing_request: bytes


class Renewal:
    """Issues certificates to nodes that have one."""

    def __init__(
        self,
        database: Database,
        authority: identity.Authority,
        terms: RenewalTerms,
        metrics: FleetMetrics,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._authority = authority
        self._terms = terms
        self._metrics = metrics
        self._clock = clock
        self._renewals = AttemptLimit(RENEWALS_PER_NODE, RENEWALS_WINDOW_S)
        self._proofs_by_address = AttemptLimit(PROOFS_PER_ADDRESS, PROOFS_WINDOW_S)
        self._proofs_together = AttemptLimit(PROOFS_TOGETHER, PROOFS_WINDOW_S)
        self._nonces = Nonces()

    @property
    def authority_pem(self) -> bytes:
        """The roots that nodes are to trust."""
        return self._authority.certificate_pem

    async def renew(self, node_id: str, fingerprint: bytes, signing_request: bytes) -> bytes:
        """The next certificate (PEM) of a node that TLS has let in; its present one holds until the next is shown.

        Raises NodeRefused, TooManyAttempts, InvalidSigningRequest.
        """
        self._renewals.begin(fingerprint.hex(), time.monotonic())
        now = self._clock()
        pem = self._issued(node_id, signing_request, now)

        def write(connection: sa.Connection) -> None:
            admit(connection, node_id, fingerprint, now)
            self._offer(connection, node_id, pem, "certificate.renewed", now)

        await self._database.run(write)
        self._metrics.renewals.labels("renewed").inc()
        return pem

    def challenge(self) -> bytes:
        """A nonce for one proof, over the same connection and so to the same replica."""
        return self._nonces.new(time.monotonic())

    async def reattest(self, proof: Proof, address: str) -> bytes:
        """The next certificate (PEM) of a node whose certificate expired while it was away.

        Raises TooManyAttempts, ProofRefused, InvalidSigningRequest.
        """
        now = self._clock()
        try:
            self._proofs_by_address.begin(address, time.monotonic())
            pem = await self._reattest(proof, now)
        except (TooManyAttempts, identity.InvalidCertificate, NodeRefused) as error:
            self._metrics.renewals.labels("refused").inc()
            subject = self._claimed(proof)
            row = AuditRow(now, "reattestation", "node.refused", subject, error.code)
            await self._database.run(partial(add_refusal, row=row))
            if isinstance(error, TooManyAttempts):
                raise
            raise ProofRefused() from error
        self._metrics.renewals.labels("reattested").inc()
        self._proofs_by_address.succeeded(address)
        self._proofs_together.succeeded(_TOGETHER)
        return pem

    async def _reattest(self, proof: Proof, now: datetime) -> bytes:
        shown = proof.certificate_pem
        fingerprint = self._proven(proof)
        times = identity.certificate_times(shown)
        expires = times[1]
        if now < expires - EARLY:
            raise identity.InvalidCertificate("It has not expired.")
        if now > expires + self._terms.reattest_within:
            raise identity.InvalidCertificate("It expired too long ago.")
        node_id = identity.node_id_from_certificate(shown)
        pem = self._issued(node_id, proof.signing_request, now)

        def write(connection: sa.Connection) -> None:
            adopt(connection, node_id, fingerprint, times, now)
            holder(connection, node_id, fingerprint)
            self._offer(connection, node_id, pem, "certificate.reattested", now)

        await self._database.run(write)
        return pem

    def _issued(self, node_id: str, signing_request: bytes, now: datetime) -> bytes:
        return identity.issue_node_certificate(
            self._authority, signing_request, node_id, now=now, validity=self._terms.node_validity
        )

    def _offer(self, connection: sa.Connection, node_id: str, pem: bytes, action: str, now: datetime) -> None:
        expires = now + self._terms.node_validity
        offer_certificate(connection, node_id, identity.certificate_fingerprint(pem), expires)
        detail = f"valid until {expires:%Y-%m-%d %H:%M} UTC"
        add_audit(connection, AuditRow(now, node_id, action, node_id, detail))

    def _claimed(self, proof: Proof) -> str:
        """Whose certificate it was, for the row of audit; "" when it is none of ours."""
        try:
            identity.check_issued_by(self._authority, proof.certificate_pem)
            return identity.node_id_from_certificate(proof.certificate_pem)
        except identity.InvalidCertificate:
            return ""

    def _proven(self, proof: Proof) -> bytes:
        """The fingerprint of the certificate whose key the proof proves. Raises InvalidCertificate, TooManyAttempts."""
        now_s, shown = time.monotonic(), proof.certificate_pem
        self._nonces.check(proof.nonce, now_s)
        identity.check_issued_by(self._authority, shown)
        identity.check_possession(shown, proof.nonce, proof.signing_request, proof.signature)
        fingerprint = identity.certificate_fingerprint(shown)
        self._renewals.begin(fingerprint.hex(), now_s)
        self._proofs_together.begin(_TOGETHER, now_s)
        self._nonces.spend(proof.nonce)
        return fingerprint
