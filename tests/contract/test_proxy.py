"""The courier through a real proxy: with a login, without, refused, cut, and with variables that would bend the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from core.errors import NotReachable
from edge.egress.courier import handshake, proxy
from edge.egress.courier.client import CourierClient, LinkDown, LinkUp
from edge.egress.courier.cloud_channel import is_ready, open_site_channel, opened_channel, unreachable_because
from edge.egress.courier.proxy import Proxy
from edge.egress.fetch.client import FetchFailed
from edge.egress.identity import identity
from edge.egress.identity.renewal import reattest, renew
from edge.egress.ledger.log import Log
from edge.egress.ledger.queue import LedgerQueue
from edge.egress.overflow.errors import OverflowUnreachable
from edge.paths import SitePaths
from tests.contract.artifact_rig import fetch_client
from tests.contract.connect_proxy import ConnectProxy, serving
from tests.contract.courier_process import (
    TIMEOUT_S,
    CourierProcess,
    ScriptedCloud,
    new_site,
    receive,
    scripted_cloud,
    until,
)
from tests.contract.overflow_rig import attached, courier_here, overflow_clouds, replies, sealed

LOGIN = "site:p@ss:wörd/%"


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


def through(server: ConnectProxy, login: str = LOGIN) -> Proxy:
    username, _, password = login.partition(":")
    return Proxy("127.0.0.1", server.port, username, password)


@asynccontextmanager
async def way(server: ConnectProxy, login: str = LOGIN) -> AsyncIterator[None]:
    async with serving(server), proxy.going_through(through(server, login)):
        yield


async def test_a_channel_opens_through_a_proxy_that_asks_for_a_login(paths: SitePaths) -> None:
    server = ConnectProxy(LOGIN)
    async with scripted_cloud(paths, ScriptedCloud()) as cloud, way(server):
        mine = identity.load(paths.courier)
        assert mine is not None
        assert await unreachable_because(cloud.endpoint) == ""
        channel = await open_site_channel(mine, cloud.endpoint)
        assert await is_ready(channel)
        assert server.asked == [cloud.endpoint] * 2
        why = await handshake.why_refused(cloud.endpoint, mine.roots_pem, mine.enrolment.target_name)
        assert why == handshake.REFUSED, "what it shows is ours: nothing is wrong with the way"
        server.cut()
        async with asyncio.timeout(TIMEOUT_S):
            await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        await channel.close(None)


@pytest.mark.parametrize(
    ("server", "login", "reason"),
    [
        (ConnectProxy(LOGIN), "site:wrong", proxy.PROXY_LOGIN),
        (ConnectProxy(LOGIN), "", proxy.PROXY_LOGIN),
        (ConnectProxy(LOGIN, 403), LOGIN, proxy.PROXY_REFUSED),
        (ConnectProxy(LOGIN, 502), LOGIN, proxy.PROXY_REFUSED),
        (ConnectProxy(LOGIN, instead="127.0.0.1:1"), LOGIN, proxy.PROXY_REFUSED),
    ],
    ids=["wrong login", "no login", "forbidden", "no way on", "breaks off"],
)
async def test_why_a_proxy_opens_no_way(server: ConnectProxy, login: str, reason: str) -> None:
    async with way(server, login):
        assert await unreachable_because("control.example:443") == reason
        assert server.asked == ["control.example:443"], "names are the proxy's to look up"


@pytest.mark.parametrize(
    ("server", "reason", "asked"),
    [(ConnectProxy("site:other"), proxy.PROXY_LOGIN, 1), (None, proxy.PROXY_UNREACHABLE, 0)],
    ids=["wrong login", "away"],
)
async def test_link_texts_and_fetches_tell_the_proxys_reason_and_log_in_once(
    paths: SitePaths, server: ConnectProxy | None, reason: str, asked: int
) -> None:
    async with overflow_clouds(paths, 2), serving(server or ConnectProxy()) as served:
        by = through(served) if server else Proxy("127.0.0.1", 1)
        async with proxy.going_through(by), courier_here(paths), attached(paths, ready=False) as client:
            node = await CourierClient(paths.courier_socket).connect()
            await node.attach()
            await node.open_link(1)
            assert (await receive(node, LinkDown)).reason == reason
            with pytest.raises(FetchFailed, match=reason):
                await fetch_client(paths).metadata("vendor", "timestamp.json")
            await until(lambda: client.reason == reason)
            with pytest.raises(OverflowUnreachable, match=reason):
                await replies(client, sealed(paths))
            await node.close()
        assert len(served.asked) == asked


async def test_a_renewal_logs_in_no_more_than_the_link(paths: SitePaths) -> None:
    """gRPC would log in by itself, and nobody would know that it was refused."""
    server = ConnectProxy("site:other")
    queue = LedgerQueue(Log.open(paths.ledger))
    async with scripted_cloud(paths, ScriptedCloud()), way(server):
        mine = identity.load(paths.courier)
        assert mine is not None
        mine = replace(mine, enrolment=replace(mine.enrolment, enrolment_endpoint="control.example:443"))
        for ask in (renew, reattest, renew):
            with pytest.raises(NotReachable, match=proxy.PROXY_LOGIN):
                await ask(replace(mine, enrolment_pem=mine.roots_pem), queue)
        assert len(server.asked) == 1
    await queue.close()


@pytest.mark.long
async def test_an_open_channel_logs_in_again_once_at_most(paths: SitePaths) -> None:
    """The login changes while it is open. By itself gRPC tries again after a second."""
    server = ConnectProxy(LOGIN)
    async with scripted_cloud(paths, ScriptedCloud()) as cloud, way(server):
        mine = identity.load(paths.courier)
        assert mine is not None
        channel, _ = await opened_channel(mine, cloud.endpoint)
        assert channel is not None
        server.login = "site:other"
        before = len(server.asked)
        server.cut()
        async with asyncio.timeout(TIMEOUT_S):
            while channel.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                await asyncio.sleep(0.01)
        assert len(server.asked) == before + 1
        with suppress(TimeoutError):
            async with asyncio.timeout(4.0):
                while len(server.asked) == before + 1:
                    channel.get_state(try_to_connect=True)
                    await asyncio.sleep(0.05)
        assert len(server.asked) == before + 1
        await channel.close(None)


async def test_a_proxy_that_is_away_is_said() -> None:
    async with proxy.going_through(Proxy("127.0.0.1", 1)):
        assert await unreachable_because("control.example:443") == proxy.PROXY_UNREACHABLE


async def test_a_proxy_that_looks_inside_gets_nothing(tmp_path: Path) -> None:
    """It answers in the control plane's place, with a certificate of its own."""
    ours, theirs = new_site(tmp_path / "ours"), new_site(tmp_path / "theirs")
    async with (
        scripted_cloud(ours, ScriptedCloud()) as cloud,
        scripted_cloud(theirs, ScriptedCloud()) as inspector,
    ):
        async with way(ConnectProxy(LOGIN, instead=inspector.endpoint)):
            mine = identity.load(ours.courier)
            assert mine is not None
            channel = await open_site_channel(mine, cloud.endpoint)
            assert not await is_ready(channel)
            await channel.close(None)
            why = await handshake.why_refused(cloud.endpoint, mine.roots_pem, mine.enrolment.target_name)
            assert why == handshake.UNKNOWN
        assert inspector.opened == 0


async def test_the_courier_goes_the_way_of_the_settings_and_of_no_variable(
    paths: SitePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, trap = ConnectProxy(LOGIN), ConnectProxy()
    password = tmp_path / "password"
    password.write_text(LOGIN.partition(":")[2] + "\n", encoding="utf-8")
    async with scripted_cloud(paths, ScriptedCloud()) as cloud, serving(server), serving(trap):
        for name in ("http_proxy", "https_proxy", "grpc_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
        monkeypatch.setenv("no_proxy", "*")
        monkeypatch.setenv("no_grpc_proxy", "127.0.0.1")
        paths.config.write_text(
            f'[site]\nid = "a"\nname = "A"\nlocale = "en"\nregion = "DE"\n[egress.proxy]\nurl = "http://127.0.0.1:{server.port}"\n'
            f'username = "site"\npassword_file = "{password}"\n',
            encoding="utf-8",
        )
        courier = CourierProcess(paths)
        await courier.start()
        try:
            node = await courier.attach()
            await node.open_link(1)
            await receive(node, LinkUp)
            assert server.asked.count(cloud.endpoint) == len(server.asked) >= 2
            await node.close()
        finally:
            await courier.stop()
        assert trap.asked == []
