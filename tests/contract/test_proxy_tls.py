"""TLS to the site's proxy itself: whom the courier believes to be it, and what somebody at the cable sees."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import grpc.aio
import pytest

from core import identity as certificates
from core.identity import Authority
from edge.egress.courier import handshake, proxy
from edge.egress.courier.client import CourierClient, LinkDown, LinkUp
from edge.egress.courier.cloud_channel import is_ready, open_site_channel, unreachable_because
from edge.egress.identity import identity
from edge.egress.reconciliation import framing, own_traffic
from edge.egress.reconciliation.own_traffic import Own
from edge.paths import SitePaths
from edge.sync.enrolment import enrol
from postern.v1 import enrolment_pb2, enrolment_pb2_grpc, sync_pb2, sync_pb2_grpc
from tests.contract.connect_proxy import ConnectProxy, serving, shown
from tests.contract.courier_process import TIMEOUT_S, ScriptedCloud, new_site, receive, scripted_cloud
from tests.contract.overflow_rig import courier_here

LOGIN = "site:p@ss:wörd/%"
PASSWORD = LOGIN.partition(":")[2].encode()
DAY = timedelta(days=1)
CONFIG = """[site]
id = "a"
name = "A"
locale = "en"
region = "DE"
[egress.proxy]
url = "https://127.0.0.1:{}"
ca_file = "{}"
username = "site"
password_file = "{}"
"""


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Of the organisation whose proxy it is."""
    return certificates.create_ca("site", now=datetime.now(UTC), validity=DAY)


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path) -> Path:
    """As the organisation hands it out: it has other authorities too."""
    other = certificates.create_ca("other", now=datetime.now(UTC), validity=DAY)
    path = tmp_path / "bundle.pem"
    path.write_bytes(other.certificate_pem + authority.certificate_pem)
    return path


def of_another_authority(_: Authority, folder: Path) -> ssl.SSLContext:
    return shown(certificates.create_ca("site", now=datetime.now(UTC), validity=DAY), folder)


def for_another_name(authority: Authority, folder: Path) -> ssl.SSLContext:
    return shown(authority, folder, "127.0.0.2")


def expired(authority: Authority, folder: Path) -> ssl.SSLContext:
    return shown(authority, folder, age=2 * DAY)


def without_one(_: Authority, __: Path) -> ssl.SSLContext:
    """It hangs up in the middle of the handshake."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def none_at_all(_: Authority, __: Path) -> None:
    return None


@asynccontextmanager
async def way(
    server: ConnectProxy, bundle: Path, paths: SitePaths, login: str = LOGIN
) -> AsyncIterator[None]:
    """As the settings say it."""
    username, _, password = login.partition(":")
    secret = paths.root / "password"
    secret.write_text(password, encoding="utf-8")
    async with serving(server):
        paths.config.write_text(CONFIG.format(server.port, bundle, secret), encoding="utf-8")
        by = proxy.configured(paths)
        assert by is not None
        assert by.username == username
        async with proxy.going_through(by):
            yield


def said_in_clear(server: ConnectProxy) -> list[bytes]:
    login = base64.b64encode(LOGIN.encode())
    return [secret for secret in (PASSWORD, login, b"CONNECT", b"Basic") if secret in server.wire]


async def test_the_login_and_the_tunnel_are_inside_of_it(
    paths: SitePaths, authority: Authority, bundle: Path, tmp_path: Path
) -> None:
    server = ConnectProxy(LOGIN, tls=shown(authority, tmp_path))
    async with scripted_cloud(paths, ScriptedCloud()) as cloud, way(server, bundle, paths):
        mine = identity.load(paths.courier)
        assert mine is not None
        assert await unreachable_because(cloud.endpoint) == ""
        channel = await open_site_channel(mine, cloud.endpoint)
        assert await is_ready(channel)
        why = await handshake.why_refused(cloud.endpoint, mine.roots_pem, mine.enrolment.target_name)
        assert why == handshake.REFUSED, "what it shows is ours: nothing is wrong with the way"
        assert server.asked == [cloud.endpoint] * 3
        server.cut()
        async with asyncio.timeout(TIMEOUT_S):
            await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        await channel.close(None)
    assert len(server.wire) > 1_000
    assert not said_in_clear(server)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (of_another_authority, "unable to get local issuer"),
        (for_another_name, "IP address mismatch"),
        (expired, "expired"),
        (without_one, "broke off"),
        (none_at_all, "WRONG_VERSION_NUMBER"),
    ],
)
async def test_a_proxy_that_cannot_show_who_it_is_is_told_nothing(
    paths: SitePaths,
    authority: Authority,
    bundle: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Authority, Path], ssl.SSLContext | None],
    fault: str,
) -> None:
    server = ConnectProxy(LOGIN, tls=make(authority, tmp_path))
    async with way(server, bundle, paths):
        with caplog.at_level(logging.WARNING, proxy.log.name):
            for _ in range(2):
                assert await unreachable_because("control.example:443") == proxy.PROXY_TLS
    assert not server.asked
    assert not said_in_clear(server)
    (line,) = [record for record in caplog.records if hasattr(record, "fault")]
    assert fault in line.fault, "said once, and which"


@asynccontextmanager
async def linking(server: ConnectProxy, bundle: Path, paths: SitePaths) -> AsyncIterator[CourierClient]:
    """A node whose courier was asked for a link, by way of the proxy."""
    async with scripted_cloud(paths, ScriptedCloud()), way(server, bundle, paths), courier_here(paths):
        node = await CourierClient(paths.courier_socket).connect()
        await node.attach()
        await node.open_link(1)
        yield node
        await node.close()


async def test_the_link_goes_through_it(
    paths: SitePaths, authority: Authority, bundle: Path, tmp_path: Path
) -> None:
    server = ConnectProxy(LOGIN, tls=shown(authority, tmp_path))
    async with linking(server, bundle, paths) as node:
        await receive(node, LinkUp)


async def test_the_link_tells_it(
    paths: SitePaths, authority: Authority, bundle: Path, tmp_path: Path
) -> None:
    server = ConnectProxy(LOGIN, tls=expired(authority, tmp_path))
    async with linking(server, bundle, paths) as node:
        assert (await receive(node, LinkDown)).reason == proxy.PROXY_TLS


async def test_a_wrong_login_is_said_once_and_not_in_clear(
    paths: SitePaths, authority: Authority, bundle: Path, tmp_path: Path
) -> None:
    server = ConnectProxy("site:other", tls=shown(authority, tmp_path))
    async with way(server, bundle, paths):
        for _ in range(3):
            assert await unreachable_because("control.example:443") == proxy.PROXY_LOGIN
    assert len(server.asked) == 1
    assert not said_in_clear(server)


async def test_a_proxy_that_looks_inside_gets_nothing(
    tmp_path: Path, authority: Authority, bundle: Path
) -> None:
    """Its own certificate is good, and the organisation trusts what it shows in the control plane's place."""
    ours, theirs = new_site(tmp_path / "ours"), new_site(tmp_path / "theirs")
    async with (
        scripted_cloud(ours, ScriptedCloud()) as cloud,
        scripted_cloud(theirs, ScriptedCloud()) as inspector,
    ):
        server = ConnectProxy(LOGIN, instead=inspector.endpoint, tls=shown(authority, tmp_path))
        async with way(server, bundle, ours):
            mine = identity.load(ours.courier)
            assert mine is not None
            channel = await open_site_channel(mine, cloud.endpoint)
            assert not await is_ready(channel)
            await channel.close(None)
            why = await handshake.why_refused(cloud.endpoint, mine.roots_pem, mine.enrolment.target_name)
            assert why == handshake.UNKNOWN
        assert inspector.opened == 0


async def test_what_goes_over_the_wire_is_explained(
    paths: SitePaths, authority: Authority, bundle: Path, tmp_path: Path
) -> None:
    """To the comparison with the kernel's counters (ADR 70) the layer is no unexplained bytes, and no wide gap."""
    server = ConnectProxy(LOGIN, tls=shown(authority, tmp_path))
    async with scripted_cloud(paths, ScriptedCloud()) as cloud, way(server, bundle, paths):
        mine = identity.load(paths.courier)
        assert mine is not None
        before = own_traffic.so_far()
        assert await unreachable_because(cloud.endpoint) == ""
        channel = await open_site_channel(mine, cloud.endpoint)
        assert await is_ready(channel)
        opened = own_traffic.so_far() - before
        at_first = len(server.wire)
        assert (opened.attempts, opened.connections) == (1, 3), "two to the proxy, one to the control plane"
        assert at_first <= explained(opened)

        call, told = sync_pb2_grpc.SyncServiceStub(channel).Connect(), 0
        sizes = [0, 100, 10_000, 50_000] * 5
        for size in sizes:
            message = sync_pb2.ConnectRequest(hello=sync_pb2.Hello(software_version="x" * size))
            told += message.ByteSize()
            own_traffic.framed(message.ByteSize())
            await call.write(message)
            assert await call.read() is not grpc.aio.EOF
        sent, on_the_wire = own_traffic.so_far() - before - opened, len(server.wire) - at_first
        assert sent.frame_bytes >= told + len(sizes) * own_traffic.RECORD_BYTES
        assert told < on_the_wire <= explained(sent)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        del call  # which holds the connection
        await channel.close(None)


def explained(own: Own) -> int:
    """But for what each minute has in any case."""
    period = framing.Period(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    return framing.bound(period, own, framing.Explained(0, 0, 0))


class Enroller(enrolment_pb2_grpc.EnrolmentServiceServicer):
    """Takes any code."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority

    async def Enrol(self, request, context):
        chain = certificates.issue_node_certificate(
            self._authority, request.signing_request, "node-test", now=datetime.now(UTC), validity=DAY
        )
        return enrolment_pb2.EnrolResponse(
            node_id="node-test",
            site_name="Test",
            certificate_chain=chain,
            ca_certificates=self._authority.certificate_pem,
            sync_endpoint="control.example:443",
        )


async def test_a_site_is_enrolled_that_way_too(
    paths: SitePaths, authority: Authority, bundle: Path, tmp_path: Path
) -> None:
    """By the command, before the courier runs."""
    port = certificates.create_enrolment_certificate(now=datetime.now(UTC), validity=DAY)
    cloud = grpc.aio.server()
    enrolment_pb2_grpc.add_EnrolmentServiceServicer_to_server(
        Enroller(certificates.create_ca("cloud", now=datetime.now(UTC), validity=DAY)), cloud
    )
    credentials = grpc.ssl_server_credentials([(port.key_pem, port.certificate_pem)])
    at = f"127.0.0.1:{cloud.add_secure_port('127.0.0.1:0', credentials)}"
    await cloud.start()
    server = ConnectProxy(LOGIN, tls=shown(authority, tmp_path))
    code = certificates.new_code(certificates.certificate_fingerprint(port.certificate_pem))
    async with way(server, bundle, paths):
        assert (await enrol(paths, at, str(code))).node_id == "node-test"
    assert server.asked == [at] * 2
    assert not said_in_clear(server)
    await cloud.stop(None)
