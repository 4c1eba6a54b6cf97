"""Nodes find each other by real multicast DNS, on the loopback interface."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from core.version import VERSION
from edge.config import Config, DiscoverySection, SiteSection
from edge.fabric.discovery import Announcer
from edge.fabric.multicast import SERVICE

WAIT_S = 60.0
# RFC 6763 section 6.4 advises keys of at most nine characters.
TXT_KEY_CHARS_MAX = 9


async def until(condition: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within {WAIT_S} s: {what}")


def announcer_at(port: int) -> Announcer:
    return Announcer(Config(site=SiteSection(name="A clinic", id="clinic")), f"http://127.0.0.1:{port}")


async def test_siblings_find_each_other_and_notice_a_goodbye() -> None:
    first, second = announcer_at(8081), announcer_at(8082)
    one, two = first.announcement, second.announcement
    await asyncio.gather(first.start(), second.start())
    try:
        await until(
            lambda: two.node_id in {s.node_id for s in first.siblings()}, "the first finds the second"
        )
        await until(
            lambda: one.node_id in {s.node_id for s in second.siblings()}, "the second finds the first"
        )
        found = next(s for s in first.siblings() if s.node_id == two.node_id)
        assert (found.port, found.version, found.addresses) == (8082, VERSION, ("127.0.0.1",))
        assert one.node_id not in {s.node_id for s in first.siblings()}, "a node is not its own sibling"
        await second.stop()
        await until(lambda: two.node_id not in {s.node_id for s in first.siblings()}, "the goodbye")
    finally:
        await first.stop()
        await second.stop()


async def test_what_is_announced_has_short_keys_and_no_more_than_needed() -> None:
    announcer = announcer_at(8083)
    here = announcer.announcement
    await announcer.start()
    browser = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        info = AsyncServiceInfo(SERVICE, f"{here.node_id}.{SERVICE}")
        assert await info.async_request(browser.zeroconf, WAIT_S * 1000)
        assert info.decoded_properties == {"v": VERSION, "id": here.node_id, "path": "/"}
        assert all(len(key) <= TXT_KEY_CHARS_MAX for key in info.decoded_properties)
    finally:
        await browser.async_close()
        await announcer.stop()


async def test_without_the_network_the_announcer_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_sockets(*_arguments: object, **_options: object) -> socket.socket:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("zeroconf._core.create_sockets", no_sockets)
    announcer = announcer_at(8084)
    with caplog.at_level(logging.WARNING):
        await announcer.start()
    await announcer.stop()
    assert announcer.siblings() == ()
    assert "UDP 5353" in caplog.records[-1].__dict__["remedy"]


async def test_a_site_may_keep_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(site=SiteSection(name="A clinic", id="clinic"), discovery=DiscoverySection(enabled=False))
    announcer = Announcer(config, "http://127.0.0.1:8085")
    monkeypatch.setattr("importlib.import_module", pytest.fail)
    await announcer.start()
    await announcer.stop()
