"""Who does not get in at the control plane, each with its row of audit: certificates and codes.

One control plane in a process of its own, as it is run: what gRPC's TLS library refuses is read from that process's
standard error. Each case says what is sent and which row must count one more.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import grpc
import pytest
import pytest_asyncio
from cryptography import x509

from cloud_sync.config import CloudPaths, load_settings
from cloud_sync.fleet.enrolment import ATTEMPTS_PER_ADDRESS
from cloud_sync.folder import create_folder, load_identities
from cloud_sync.services import ControlPlane, control_plane, utc_now
from cloud_sync.store.schema import enrolment_codes
from core import identity
from core.identity import Credential
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc, sync_pb2, sync_pb2_grpc
from tests import forged
from tests.contract.courier_process import until
from tests.integration.cloud_sync.audit_rows import one_more, rows
from tests.integration.cloud_sync.conftest import use_free_ports
from tests.integration.cloud_sync.fleet_node import ONE_TRY, Link, TestNode, enrol

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

TIMEOUT_S = 20.0


@dataclass
class Plane:
    """The control plane, one node that belongs to it, and a look at its rows."""

    paths: CloudPaths
    url: str
    enrolment: str
    sync: str
    claim_code: str
    control: ControlPlane
    node: TestNode

    @property
    def authority(self) -> identity.Authority:
        return load_identities(self.paths).authority

    async def new_code(self, site: str = "St. Anna") -> str:
        return (await self.control.enrolment.new_code(site, "test", self.enrolment)).code


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plane(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plane]:
    paths = CloudPaths(tmp_path_factory.mktemp("refusals") / "cloud")
    create_folder(paths, "Test fleet", "", utc_now())
    use_free_ports(paths)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cloud_sync.cli", "run", "--dir", str(paths.root),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.stdout
        ready = re.findall(rb'"(\w+)": "([^"]*)"', await asyncio.wait_for(process.stdout.readline(), 60))
        told = {name.decode(): value.decode() for name, value in ready}
        code = paths.claim_code.read_text().strip()
        async with control_plane(paths, load_settings(paths), load_identities(paths)) as control:
            made = await control.enrolment.new_code("St. Anna", "test", told["enrolment"])
            node = await enrol(told["enrolment"], made.code)
            yield Plane(paths, told["url"], told["enrolment"], told["sync"], code, control, node)
    finally:
        process.terminate()
        await process.wait()


# --- certificates that TLS refuses ---


def names(plane: Plane) -> list[x509.GeneralName]:
    return [forged.node_name(plane.node.id)]


def stranger() -> identity.Authority:
    return identity.create_ca("Another fleet", now=utc_now(), validity=forged.DAY)


def own(plane: Plane) -> Credential:
    return Credential(plane.node.key_pem, plane.node.certificate_pem)


CERTIFICATES: dict[str, tuple[str, Callable[[Plane], Credential | None]]] = {
    "of another authority": (
        "certificate_unknown", lambda plane: forged.forged(forged.Wish(names(plane)), stranger())
    ),
    "of another authority of the same name": (
        "bad_signature",
        lambda plane: forged.forged(
            forged.Wish(names(plane)),
            identity.create_ca(
                plane.authority.certificate.subject.get_attributes_for_oid(
                    x509.oid.NameOID.COMMON_NAME
                )[0].value,
                now=utc_now(), validity=forged.DAY,
            ),
        ),
    ),
    "self-signed": ("certificate_unknown", lambda plane: forged.forged(forged.Wish(names(plane)))),
    "signed by a node's certificate": (
        "certificate_unknown",
        lambda plane: forged.issued_by_a_leaf(forged.Wish(names(plane)), own(plane)),
    ),
    "with a changed signature": ("bad_signature", lambda plane: forged.signature_changed(own(plane))),
    "expired": (
        "certificate_expired", lambda plane: forged.forged(forged.expired(names(plane)), plane.authority)
    ),
    "not yet valid": (
        "certificate_not_yet_valid",
        lambda plane: forged.forged(forged.not_yet_valid(names(plane)), plane.authority),
    ),
    "of a server": (
        "certificate_wrong_use",
        lambda plane: forged.forged(forged.Wish(names(plane), forged.SERVER), plane.authority),
    ),
    "none at all": ("no_certificate", lambda plane: None),
}  # fmt: skip


async def refused_by_tls(plane: Plane, shown: Credential | None) -> None:
    pair = (shown.key_pem, shown.certificate_pem) if shown else (None, None)
    async with Link(plane.node, grpc.ssl_channel_credentials(plane.node.ca_pem, *pair)) as link:
        assert await link.status() is grpc.StatusCode.UNAVAILABLE


async def plain_text(endpoint: str) -> None:
    async with grpc.aio.insecure_channel(endpoint, options=[ONE_TRY]) as channel:
        call = sync_pb2_grpc.SyncServiceStub(channel).Connect()
        assert await asyncio.wait_for(call.code(), TIMEOUT_S) is grpc.StatusCode.UNAVAILABLE


async def old_tls(plane: Plane) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    host, _, port = plane.sync.rpartition(":")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(host, int(port), ssl=context)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def handshakes(plane: Plane) -> Counter[str]:
    """All attempts at once, since their rows are written once a second; how often which reason was written."""
    await asyncio.gather(*(refused_by_tls(plane, make(plane)) for _, make in CERTIFICATES.values()))
    await asyncio.gather(plain_text(plane.sync), plain_text(plane.enrolment), old_tls(plane))
    wanted = Counter(reason for reason, _ in CERTIFICATES.values())
    wanted.update({"not_tls": 2, "tls_too_old": 1})

    async def written() -> bool:
        return not wanted - await told(plane)

    try:
        await until(written, TIMEOUT_S)
    except AssertionError:
        pytest.fail(f"written: {await told(plane)}, wanted: {wanted}")
    return await told(plane)


async def told(plane: Plane) -> Counter[str]:
    found = await rows(plane.control)
    return Counter({what[3]: times for what, times in found.items() if what[1] == "handshake.refused"})


@pytest.mark.proves("transmission")
@pytest.mark.parametrize("case", CERTIFICATES)
@pytest.mark.proves("transmission")
async def test_a_certificate_is_refused(handshakes: Counter[str], case: str) -> None:
    reason = CERTIFICATES[case][0]
    assert handshakes[reason] == sum(reason == other for other, _ in CERTIFICATES.values())


@pytest.mark.proves("transmission")
@pytest.mark.parametrize(("reason", "times"), [("not_tls", 2), ("tls_too_old", 1)])
@pytest.mark.proves("transmission")
async def test_no_tls_of_today_is_refused(handshakes: Counter[str], reason: str, times: int) -> None:
    assert handshakes[reason] == times


# --- certificates of the authority's own ---


async def refused_by_name(plane: Plane, shown: Credential) -> None:
    credentials = grpc.ssl_channel_credentials(plane.node.ca_pem, shown.key_pem, shown.certificate_pem)
    async with Link(plane.node, credentials) as link:
        assert await link.status() is grpc.StatusCode.UNAUTHENTICATED


async def refused_at_hello(plane: Plane, node: TestNode) -> None:
    async with Link(node) as link:
        assert (await link.hello()).reason == sync_pb2.GOODBYE_REASON_REVOKED
        assert await link.status() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.proves("transmission")
@pytest.mark.parametrize(
    "ids",
    [[], ["node-one", "node-two"], ["../etc"], ["NODE"]],
    ids=["no node", "two nodes", "a path", "an impossible name"],
)
async def test_a_certificate_that_does_not_name_one_node(plane: Plane, ids: list[str]) -> None:
    wish = forged.Wish([*map(forged.node_name, ids), x509.DNSName("node.example")])
    shown = forged.forged(wish, plane.authority)
    await one_more(
        plane.control,
        ("unknown", "node.refused", "", "invalid_certificate"),
        lambda: refused_by_name(plane, shown),
    )


async def as_node(plane: Plane, node_id: str) -> TestNode:
    """Somebody with a certificate of the authority for `node_id`, which the control plane did not give that node."""
    shown = forged.forged(forged.Wish([forged.node_name(node_id)]), plane.authority)
    return TestNode(node_id, shown.key_pem, shown.certificate_pem, plane.node.ca_pem, plane.sync)


async def test_a_node_that_was_never_enrolled(plane: Plane) -> None:
    node = await as_node(plane, "node-unknown")
    what = ("node-unknown", "node.refused", "node-unknown", "node_unknown")
    await one_more(plane.control, what, lambda: refused_at_hello(plane, node))


async def test_another_certificate_for_a_node_that_exists(plane: Plane) -> None:
    node = await as_node(plane, plane.node.id)
    what = (node.id, "node.refused", node.id, "certificate_replaced")
    await one_more(plane.control, what, lambda: refused_at_hello(plane, node))


@pytest.mark.proves("transmission")
async def test_a_revoked_node_and_how_often_it_came(plane: Plane) -> None:
    node = await enrol(plane.enrolment, await plane.new_code("Lost"))
    await plane.control.steering.revoke(node.id, "test")
    what = (node.id, "node.refused", node.id, "node_revoked")
    for _ in range(2):
        await one_more(plane.control, what, lambda: refused_at_hello(plane, node))
    shown = await plane.control.overview.audit_of(node.id)
    assert [(row.action, row.count) for row in shown][:1] == [("node.refused", 2)]


async def test_a_heartbeat_before_a_greeting(plane: Plane) -> None:
    async def attempt() -> None:
        async with Link(plane.node) as link:
            await link.send(heartbeat=sync_pb2.Heartbeat(number=1))
            assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR

    await one_more(plane.control, (plane.node.id, "node.refused", plane.node.id, "protocol_fault"), attempt)


async def test_an_upload_that_breaks_the_contract(plane: Plane) -> None:
    async def attempt() -> None:
        async with Link(plane.node) as link:
            await link.open(1, 9)
            await link.batch([])
            assert (await link.receive()).reason == sync_pb2.GOODBYE_REASON_PROTOCOL_ERROR

    await one_more(plane.control, (plane.node.id, "node.refused", plane.node.id, "protocol_fault"), attempt)


# --- one-time codes ---


async def not_enrolled(plane: Plane, code: str, request: bytes | None, status: grpc.StatusCode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await enrol(plane.enrolment, code, request)
    assert caught.value.code() is status


def guess(plane: Plane) -> str:
    pem = (plane.paths.keys / "enrolment.pem").read_bytes()
    return str(identity.new_code(identity.certificate_fingerprint(pem)))


async def test_a_code_that_nobody_issued(plane: Plane) -> None:
    what = ("enrolment", "node.refused", "", "code unknown")
    unauthenticated = grpc.StatusCode.UNAUTHENTICATED
    await one_more(plane.control, what, lambda: not_enrolled(plane, guess(plane), None, unauthenticated))


@pytest.mark.proves("transmission")
async def test_a_replayed_enrolment_with_the_very_same_signing_request(plane: Plane) -> None:
    code, request = await plane.new_code("Replayed"), identity.create_signing_request(identity.new_key())
    await enrol(plane.enrolment, code, request)
    what = ("enrolment", "node.refused", "Replayed", "code spent")
    for again in (request, None):
        attempt = partial(not_enrolled, plane, code, again, grpc.StatusCode.UNAUTHENTICATED)
        await one_more(plane.control, what, attempt)


async def test_an_expired_code(plane: Plane) -> None:
    code = await plane.new_code("Late")
    aged = enrolment_codes.update().where(enrolment_codes.c.site == "Late").values(expires_at=utc_now())
    await plane.control.database.run(lambda db: db.execute(aged))
    what = ("enrolment", "node.refused", "Late", "code expired")
    unauthenticated = grpc.StatusCode.UNAUTHENTICATED
    await one_more(plane.control, what, lambda: not_enrolled(plane, code, None, unauthenticated))


@pytest.mark.parametrize(
    "request_",
    [b"no request", forged.request_not_of_its_key(), forged.request_of_rsa()],
    ids=["none", "not of its key", "of another kind of key"],
)
async def test_a_signing_request_that_is_none(plane: Plane, request_: bytes) -> None:
    code = await plane.new_code("Mistaken")
    what = ("enrolment", "node.refused", "Mistaken", "invalid_signing_request")
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await one_more(plane.control, what, lambda: not_enrolled(plane, code, request_, invalid))
    assert (await enrol(plane.enrolment, code)).id  # the code was not spent


async def test_an_enrolment_at_the_port_of_the_streams(plane: Plane) -> None:
    """It has no such service; and who has no certificate does not get as far as hearing that."""
    request = enrolment_pb2.EnrolRequest(secret="0" * 16)
    options = [("grpc.ssl_target_name_override", identity.CONTROL_PLANE_TARGET_NAME)]
    credentials = grpc.ssl_channel_credentials(plane.node.ca_pem)

    async def attempt() -> None:
        async with grpc.aio.secure_channel(plane.sync, credentials, options=options) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await enrolment_pb2_grpc.EnrolmentServiceStub(channel).Enrol(request, timeout=TIMEOUT_S)

    await one_more(plane.control, ("unknown", "handshake.refused", "", "no_certificate"), attempt)


# --- guessing, last: it closes the door for a minute ---


async def test_guessing_codes(plane: Plane) -> None:
    codes = []
    for _ in range(ATTEMPTS_PER_ADDRESS + 1):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await enrol(plane.enrolment, guess(plane))
        codes.append(caught.value.code())
    assert codes[-1] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await rows(plane.control))["enrolment", "node.refused", "", "too_many_attempts"] >= 1
