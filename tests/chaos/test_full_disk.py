"""The courier on a disk that is really full: nothing is sent that is not written down, and with room it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from edge.egress.ledger import reading
from edge.egress.overflow.client import OverflowClient, OverflowRefused
from edge.paths import SitePaths
from tests import small_disk
from tests.contract.courier_process import CourierProcess, new_site, until
from tests.contract.overflow_rig import ANSWER, attached, leaves, overflow_clouds, recorded, replies, sealed

WHY_NOT = small_disk.missing()
REFUSED = 5
"""Texts that are tried while it is full."""


@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
def test_on_a_full_disk_nothing_is_sent_unlogged(tmp_path: Path) -> None:
    paths = new_site(tmp_path / "site")
    paths.courier.mkdir()

    def there() -> None:
        with small_disk.mounted(paths.courier):
            asyncio.run(_full(paths, tmp_path / "log"))

    small_disk.apart(there)


async def _full(paths: SitePaths, log: Path) -> None:
    courier = CourierProcess(paths)
    courier.log = log
    async with overflow_clouds(paths) as (cloud,), stopped(courier):
        await courier.start()
        async with attached(paths) as client:
            await _answered(client, paths)
            small_disk.fill(paths.courier)
            await until(lambda: _refused(client, paths))
            heard = len(cloud.requests)
            assert all([await _refused(client, paths) for _ in range(REFUSED)])
            assert len(cloud.requests) == heard
            small_disk.give_room(paths.courier)
            await _answered(client, paths)
            small_disk.fill(paths.courier)
            await courier.kill()
            # What was in the log beside the file goes into it at a start, which makes a little room.
            await courier.start()
            await until(lambda: client.ready)
            small_disk.fill(paths.courier)
            await until(lambda: _refused(client, paths))
            small_disk.give_room(paths.courier)
            await _answered(client, paths)
    report = reading.verify(paths.ledger)
    assert (report.problem, report.open_envelopes) == ("", 0)
    texts = [leaf.fields["envelope"] for leaf in leaves(paths) if leaf.fields.get("kind") == "generate"]
    assert len(texts) == len(set(texts)) == len(cloud.requests) == recorded(paths, "close")
    assert "The disk is full" in log.read_text()


@asynccontextmanager
async def stopped(courier: CourierProcess) -> AsyncIterator[None]:
    """At the end, whatever happens."""
    try:
        yield
    finally:
        assert await courier.stop() == 0


async def _answered(client: OverflowClient, paths: SitePaths) -> None:
    assert len(await replies(client, sealed(paths))) > len(ANSWER)


async def _refused(client: OverflowClient, paths: SitePaths) -> bool:
    with suppress(OverflowRefused):
        await _answered(client, paths)
        return False
    return True
