"""Nodes find each other by real multicast DNS, on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Callable

import pytest
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from edge.fabric.discovery import SERVICE, Announcement, Announcer, MulticastUnavailable

WAIT_S = 20.0
# RFC 6763 section 6.4 advises keys of at most nine characters.
TXT_KEY_CHARS_MAX = 9


async def until(condition: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(WAIT_S):
            while not condition():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"not within {WAIT_S} s: {what}")


def announcement(port: int) -> Announcement:
    return Announcement(f"node-{uuid.uuid4().hex[:8]}", "0.1.0", "127.0.0.1", port)


async def test_siblings_find_each_other_and_notice_a_goodbye() -> None:
    one, two = announcement(8081), announcement(8082)
    first, second = Announcer(one), Announcer(two)
    await asyncio.gather(first.start(), second.start())
    try:
        await until(
            lambda: two.node_id in {s.node_id for s in first.siblings()}, "the first finds the second"
        )
        await until(
            lambda: one.node_id in {s.node_id for s in second.siblings()}, "the second finds the first"
        )
        found = next(s for s in first.siblings() if s.node_id == two.node_id)
        assert (found.port, found.version, found.addresses) == (8082, "0.1.0", ("127.0.0.1",))
        assert one.node_id not in {s.node_id for s in first.siblings()}, "a node is not its own sibling"
        await second.stop()
        await until(lambda: two.node_id not in {s.node_id for s in first.siblings()}, "the goodbye")
    finally:
        await first.stop()
        await second.stop()


async def test_what_is_announced_has_short_keys_and_no_more_than_needed() -> None:
    here = announcement(8083)
    announcer = Announcer(here)
    await announcer.start()
    browser = AsyncZeroconf(interfaces=["127.0.0.1"])
    try:
        info = AsyncServiceInfo(SERVICE, f"{here.node_id}.{SERVICE}")
        assert await info.async_request(browser.zeroconf, 5000)
        assert info.decoded_properties == {"v": "0.1.0", "id": here.node_id, "path": "/"}
        assert all(len(key) <= TXT_KEY_CHARS_MAX for key in info.decoded_properties)
    finally:
        await browser.async_close()
        await announcer.stop()


async def test_without_the_network_the_announcer_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_sockets(*_arguments: object, **_options: object) -> socket.socket:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("zeroconf._core.create_sockets", no_sockets)
    with pytest.raises(MulticastUnavailable) as raised:
        await Announcer(announcement(8084)).start()
    assert "UDP 5353" in raised.value.remedy
