"""The next certificate of a node: over TLS while the old one holds, and by proof of its key afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from cloud_sync.config import CloudPaths, CloudSettings
from cloud_sync.fleet.admission import CertificateExpired, CertificateReplaced, NodeRevoked
from cloud_sync.fleet.nonces import NONCE_LIFE_S, SPENT_MAX
from cloud_sync.fleet.renewal import (
    EARLY,
    PROOFS_PER_ADDRESS,
    RENEWALS_PER_NODE,
    Proof,
    ProofRefused,
)
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane
from cloud_sync.store.incarnation import begin_incarnation
from cloud_sync.store.nodes import use_certificate
from core import identity
from core.attempts import AttemptLimit, TooManyAttempts

START = datetime(2026, 3, 1, tzinfo=UTC)
VALID, WITHIN = timedelta(days=30), timedelta(days=400)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Holder:
    """A node with its key."""

    id: str
    pem: bytes
    key_pem: bytes = field(repr=False)

    @property
    def fingerprint(self) -> bytes:
        return identity.certificate_fingerprint(self.pem)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def plane(tmp_path: Path, clock: Clock) -> AsyncIterator[ControlPlane]:
    paths = CloudPaths(tmp_path / "cloud")
    create_folder(paths, "Test", "", START)
    settings = CloudSettings.model_validate({"identity": {"node_certificate_days": VALID.days}})
    async with control_plane(paths, settings, load_identities(paths), clock) as opened:
        yield opened


async def _enrolled(plane: ControlPlane) -> Holder:
    code = await plane.enrolment.new_code("Clinic", "test", "here:1")
    key = identity.new_key()
    secret = identity.parse_code(code.code).secret
    node = await plane.enrolment.redeem(secret, identity.create_signing_request(key), "1", "address")
    return Holder(node.node_id, node.certificate_pem, identity.key_to_pem(key))


async def _expired(plane: ControlPlane, clock: Clock) -> Holder:
    node = await _enrolled(plane)
    clock.now += VALID
    return node


async def _renewed(plane: ControlPlane, node: Holder) -> Holder:
    key = identity.new_key()
    pem = await plane.renewal.renew(node.id, node.fingerprint, identity.create_signing_request(key))
    return Holder(node.id, pem, identity.key_to_pem(key))


def _proof(plane: ControlPlane, node: Holder) -> Proof:
    nonce, request = plane.renewal.challenge(), identity.create_signing_request(identity.new_key())
    signature = identity.prove_possession(node.key_pem, nonce, request)
    return Proof(nonce, node.pem, signature, request)


async def _audit(plane: ControlPlane, node_id: str) -> list[str]:
    return [row.action for row in reversed(await plane.overview.audit_of(node_id))]


async def test_both_certificates_hold_until_the_new_one_is_shown(plane: ControlPlane, clock: Clock) -> None:
    old = await _enrolled(plane)
    clock.now += VALID / 2
    new = await _renewed(plane, old)
    assert identity.certificate_times(new.pem) == (clock.now, clock.now + VALID)
    await plane.intake.check_admitted(old.id, old.fingerprint)
    await plane.intake.check_admitted(new.id, new.fingerprint)
    with pytest.raises(CertificateReplaced):
        await plane.intake.check_admitted(old.id, old.fingerprint)
    await plane.intake.check_admitted(new.id, new.fingerprint)
    view, _ = await plane.overview.node(new.id)
    assert view.certificate_expires == clock.now + VALID
    assert await _audit(plane, new.id) == ["node.enrolled", "certificate.renewed", "certificate.used"]


async def test_of_two_renewals_the_later_one_counts(plane: ControlPlane) -> None:
    """The answer to the first was lost: its key is gone, and nobody may come with that certificate."""
    old = await _enrolled(plane)
    lost, new = await _renewed(plane, old), await _renewed(plane, old)
    with pytest.raises(CertificateReplaced):
        await plane.intake.check_admitted(lost.id, lost.fingerprint)
    await plane.intake.check_admitted(new.id, new.fingerprint)


async def test_who_may_not_connect_may_not_renew(plane: ControlPlane) -> None:
    old = await _enrolled(plane)
    new = await _renewed(plane, old)
    await plane.intake.check_admitted(new.id, new.fingerprint)
    with pytest.raises(CertificateReplaced):
        await _renewed(plane, old)
    await plane.steering.revoke(new.id, "test")
    with pytest.raises(NodeRevoked):
        await _renewed(plane, new)


async def test_a_node_that_renews_in_a_loop_is_held_back(plane: ControlPlane) -> None:
    node = await _enrolled(plane)
    for _ in range(RENEWALS_PER_NODE):
        await _renewed(plane, node)
    with pytest.raises(TooManyAttempts):
        await _renewed(plane, node)
    await _renewed(plane, await _enrolled(plane))


async def test_a_year_in_a_cupboard(plane: ControlPlane, clock: Clock) -> None:
    old = await _enrolled(plane)
    clock.now += VALID + WITHIN
    pem = await plane.renewal.reattest(_proof(plane, old), "address")
    await plane.intake.check_admitted(old.id, identity.certificate_fingerprint(pem))
    assert await _audit(plane, old.id) == ["node.enrolled", "certificate.reattested", "certificate.used"]


async def test_a_certificate_that_was_issued_and_never_shown_comes_back_too(
    plane: ControlPlane, clock: Clock
) -> None:
    new = await _renewed(plane, await _enrolled(plane))
    clock.now += 2 * VALID
    assert await plane.renewal.reattest(_proof(plane, new), "address")


def _stranger(plane: ControlPlane, node: Holder) -> Proof:
    """A certificate for this node, by an authority of somebody else."""
    key, theirs = identity.new_key(), identity.create_ca("Theirs", now=START, validity=VALID)
    request = identity.create_signing_request(key)
    pem = identity.issue_node_certificate(theirs, request, node.id, now=START, validity=VALID)
    return _proof(plane, Holder(node.id, pem, identity.key_to_pem(key)))


FORGED: dict[str, Callable[[ControlPlane, Holder], Proof]] = {
    "another's key": lambda plane, node: _proof(
        plane, Holder(node.id, node.pem, identity.key_to_pem(identity.new_key()))
    ),
    "another signing request": lambda plane, node: replace(
        _proof(plane, node), signing_request=identity.create_signing_request(identity.new_key())
    ),
    "another nonce": lambda plane, node: replace(_proof(plane, node), nonce=plane.renewal.challenge()),
    "a nonce of its own": lambda plane, node: replace(_proof(plane, node), nonce=b"n" * 32),
    "no nonce": lambda plane, node: replace(_proof(plane, node), nonce=b""),
    "no signature": lambda plane, node: replace(_proof(plane, node), signature=b""),
    "no certificate": lambda plane, node: replace(_proof(plane, node), certificate_pem=b"none"),
    "another authority's": _stranger,
    "the control plane's own": lambda plane, node: replace(
        _proof(plane, node), certificate_pem=plane.renewal.authority_pem
    ),
}


@pytest.mark.parametrize("case", FORGED)
async def test_what_is_no_proof(plane: ControlPlane, clock: Clock, case: str) -> None:
    node = await _expired(plane, clock)
    with pytest.raises(ProofRefused):
        await plane.renewal.reattest(FORGED[case](plane, node), "address")
    assert "certificate.reattested" not in await _audit(plane, node.id)
    refused = await plane.overview.audit_by_action("node.refused")
    assert [row.actor for row in refused] == ["reattestation"]


async def test_a_proof_is_good_once(plane: ControlPlane, clock: Clock) -> None:
    proof = _proof(plane, await _expired(plane, clock))
    await plane.renewal.reattest(proof, "address")
    with pytest.raises(ProofRefused):
        await plane.renewal.reattest(proof, "address")


async def test_a_nonce_does_not_wait(
    plane: ControlPlane, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    proof, real = _proof(plane, await _expired(plane, clock)), time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + NONCE_LIFE_S + 1)
    with pytest.raises(ProofRefused):
        await plane.renewal.reattest(proof, "address")


async def _revoke(plane: ControlPlane, node: Holder, _: Clock) -> None:
    await plane.steering.revoke(node.id, "test")


async def _replace_certificate(plane: ControlPlane, node: Holder, _: Clock) -> None:
    new = await _renewed(plane, node)
    await plane.intake.check_admitted(new.id, new.fingerprint)


async def _too_late(plane: ControlPlane, node: Holder, clock: Clock) -> None:
    clock.now += WITHIN + timedelta(seconds=1)


@pytest.mark.parametrize("before", [_revoke, _replace_certificate, _too_late])
async def test_the_key_alone_is_not_enough(plane: ControlPlane, clock: Clock, before: Callable) -> None:
    node = await _enrolled(plane)
    await before(plane, node, clock)
    clock.now += VALID
    with pytest.raises(ProofRefused):
        await plane.renewal.reattest(_proof(plane, node), "address")


@pytest.mark.parametrize("early_s", [0, 1])
async def test_a_certificate_that_holds_is_renewed_over_tls_alone(
    plane: ControlPlane, clock: Clock, early_s: int
) -> None:
    node = await _enrolled(plane)
    clock.now += VALID - EARLY - timedelta(seconds=early_s)
    if early_s:
        with pytest.raises(ProofRefused):
            await plane.renewal.reattest(_proof(plane, node), "address")
    else:
        assert await plane.renewal.reattest(_proof(plane, node), "address")


async def test_whoever_asks_for_many_nonces_takes_nobodys(plane: ControlPlane, clock: Clock) -> None:
    proof = _proof(plane, await _expired(plane, clock))
    for _ in range(2 * SPENT_MAX):
        plane.renewal.challenge()
    assert await plane.renewal.reattest(proof, "address")


async def test_what_is_no_proof_counts_against_its_address_alone(plane: ControlPlane, clock: Clock) -> None:
    plane.renewal._proofs_together = AttemptLimit(1, 60)
    node = await _expired(plane, clock)
    for address in ("one", "another"):
        with pytest.raises(ProofRefused):
            await plane.renewal.reattest(FORGED["no signature"](plane, node), address)
    assert await plane.renewal.reattest(_proof(plane, node), "a third")


async def test_one_that_proves_itself_in_a_loop_is_held_back(plane: ControlPlane, clock: Clock) -> None:
    node = await _expired(plane, clock)
    plane.renewal._renewals = AttemptLimit(1, 60)
    await plane.renewal.reattest(_proof(plane, node), "one")
    with pytest.raises(TooManyAttempts):
        await plane.renewal.reattest(_proof(plane, node), "another")


async def test_a_replaced_machine_does_not_use_up_its_successors_renewals(plane: ControlPlane) -> None:
    old = await _enrolled(plane)
    new = await _renewed(plane, old)
    await plane.intake.check_admitted(new.id, new.fingerprint)
    plane.renewal._renewals = AttemptLimit(1, 60)
    with pytest.raises(CertificateReplaced):
        await _renewed(plane, old)
    assert await _renewed(plane, new)


async def test_proofs_cannot_be_tried_without_end(plane: ControlPlane, clock: Clock) -> None:
    node = await _expired(plane, clock)
    for _ in range(PROOFS_PER_ADDRESS):
        with pytest.raises(ProofRefused):
            await plane.renewal.reattest(FORGED["no signature"](plane, node), "address")
    with pytest.raises(TooManyAttempts):
        await plane.renewal.reattest(_proof(plane, node), "address")
    assert await plane.renewal.reattest(_proof(plane, node), "another address")


@pytest.mark.parametrize("passed", [VALID, VALID + timedelta(seconds=1)])
async def test_a_certificate_ends_on_an_open_connection_too(
    plane: ControlPlane, clock: Clock, passed: timedelta
) -> None:
    """TLS has looked at it in the handshake alone."""
    node = await _enrolled(plane)
    clock.now += passed
    if passed == VALID:
        await plane.intake.check_admitted(node.id, node.fingerprint)
        plane.intake.check_holds(START + VALID)
        return
    with pytest.raises(CertificateExpired):
        await plane.intake.check_admitted(node.id, node.fingerprint)
    with pytest.raises(CertificateExpired):
        await _renewed(plane, node)
    with pytest.raises(CertificateExpired):
        plane.intake.check_holds(START + VALID)


async def _forgotten(plane: ControlPlane, clock: Clock, before: Holder, *, backup: timedelta) -> None:
    """A restore of a backup from before the node's newest certificate."""
    expires = START + VALID

    def write(connection: sa.Connection) -> None:
        use_certificate(connection, before.id, before.fingerprint, expires)
        begin_incarnation(connection, clock.now - backup, clock.now)

    await plane.database.run(write)


async def _opened(plane: ControlPlane, node: Holder) -> int:
    times = identity.certificate_times(node.pem)
    return await plane.intake.open_stream(node.id, node.fingerprint, "1", times)


async def test_a_certificate_given_out_before_a_restore_is_known_again(
    plane: ControlPlane, clock: Clock
) -> None:
    old = await _enrolled(plane)
    clock.now += timedelta(days=10)
    lost = await _renewed(plane, old)
    clock.now += timedelta(days=1)
    new = await _renewed(plane, old)
    clock.now += timedelta(days=1)
    await _forgotten(plane, clock, old, backup=timedelta(days=5))
    assert await _opened(plane, new)
    assert (await _audit(plane, new.id))[-1] == "certificate.adopted"
    for one in (old, lost):
        with pytest.raises(CertificateReplaced):
            await _opened(plane, one)
    await plane.steering.revoke(new.id, "test")
    with pytest.raises(NodeRevoked):
        await _opened(plane, new)


async def test_a_certificate_from_before_the_backup_stays_out(plane: ControlPlane, clock: Clock) -> None:
    old = await _enrolled(plane)
    clock.now += timedelta(days=1)
    new = await _renewed(plane, old)
    clock.now += timedelta(days=10)
    await _forgotten(plane, clock, old, backup=timedelta(days=5))
    with pytest.raises(CertificateReplaced):
        await _opened(plane, new)
    clock.now += timedelta(days=1)
    after = await _renewed(plane, old)
    await _renewed(plane, old)
    with pytest.raises(CertificateReplaced):
        await _opened(plane, after)


async def test_one_that_expired_after_a_restore_proves_its_key(plane: ControlPlane, clock: Clock) -> None:
    old = await _enrolled(plane)
    clock.now += timedelta(days=10)
    new = await _renewed(plane, old)
    await _forgotten(plane, clock, old, backup=timedelta(days=5))
    clock.now += VALID
    assert await plane.renewal.reattest(_proof(plane, new), "address")
