"""What somebody on the site's network may announce in the name of a node: nothing is believed, and little is kept."""

from __future__ import annotations

import asyncio
from typing import cast

from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceInfo

from edge.fabric.discovery import Announcement
from edge.fabric.multicast import SERVICE, SIBLINGS_MAX, Registration, _sibling


def announced(node_id: str, version: str = "1") -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE,
        f"x.{SERVICE}",
        port=80,
        parsed_addresses=["10.0.0.9"],
        properties={"id": node_id, "v": version},
    )


def test_what_is_no_id_is_no_sibling_and_a_version_is_short() -> None:
    for node_id in ("", "<script>alert(1)</script>", "a" * 100, "../x", "clinic-1\x1b[2J"):
        assert _sibling(announced(node_id)) is None
    found = _sibling(announced("clinic-1", "9" * 200))
    assert found is not None
    assert len(found.version) == 32


async def test_a_flood_of_imposters_is_bounded() -> None:
    registration = Registration(Announcement("clinic-1", "1", "127.0.0.1", 80))
    never = asyncio.Event()

    async def resolve(*_: object) -> None:
        await never.wait()

    registration._resolve = resolve  # type: ignore[method-assign]
    for number in range(10 * SIBLINGS_MAX):
        name = f"imposter-{number}.{SERVICE}"
        registration._on_change(cast(Zeroconf, None), SERVICE, name, ServiceStateChange.Added)
    assert len(registration._resolving) == SIBLINGS_MAX
    await registration.stop()
