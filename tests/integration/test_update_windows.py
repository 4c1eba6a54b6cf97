"""When and how fast updates are fetched, by the bytes that cross the line of a real node."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from edge.config import site_paths
from edge.updates.fetching import SMALL_BYTES_MAX
from tests.bench.sync_rig import through_a_proxy
from tests.contract.courier_process import until
from tests.integration.rollout_rig import (
    Publisher,
    begun,
    enrolled,
    places,
    told,
    until_state,
    updates,
)
from tests.integration.sync.rig import ControlPlaneProcess
from tests.running import running

pytestmark = [pytest.mark.long, pytest.mark.models]

LIMIT_S = 1500
SIZE = 4 * 2**20
RATE = 256 * 1024
BURST = 4 * RATE
"""What may come at once: a second's worth that was not used before, pieces that are under way, and signatures, which
have no rate. Two and a half of it were seen; a line whose windows grow brings all of the pack at once."""
NAME = "scans"


def most_at_once(came: list[tuple[float, int]]) -> float:
    """Bytes beyond RATE that came within any time: how full a bucket that leaks by it would have been."""
    level, before_s, most = 0.0, 0.0, 0.0
    for at_s, size in came:
        level = max(0.0, level - RATE * (at_s - before_s)) + size
        before_s, most = at_s, max(most, level)
    return most


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    """Has published a pack: a page with a picture in it that cannot be made smaller."""
    plane = ControlPlaneProcess(tmp_path / "cloud")
    await plane.create()
    publisher = Publisher(plane, tmp_path)
    await publisher.begin()
    page = tmp_path / "pack" / "page.html"
    page.parent.mkdir()
    picture = random.Random(1).randbytes(SIZE // 2).hex()
    page.write_text(f"<html><body><p>The scanner is on floor two.</p><!-- {picture} --></body></html>")
    await publisher.publish("knowledge", NAME, "1.0", page.parent)
    await plane.start()
    yield plane
    await plane.stop()


def closed_now() -> str:
    """A window that is open in some hours."""
    begins = datetime.now().astimezone() + timedelta(hours=6)
    return f"{begins:%H:%M}-{begins + timedelta(hours=1):%H:%M}"


def open_now() -> str:
    now = datetime.now().astimezone()
    return f"{now - timedelta(hours=6):%H:%M}-{now + timedelta(hours=6):%H:%M}"


def set_updates(site: Path, window: str) -> None:
    config = site / "site.toml"
    text = re.sub(r"\n\[updates\]\n(?:\w.*\n)*", "", config.read_text())
    config.write_text(f'{text}\n[updates]\nbytes_per_s = {RATE}\nwindows = ["{window}"]\n')


@pytest.mark.timeout(LIMIT_S + 300)
async def test_large_things_wait_for_a_window_and_come_no_faster_than_they_may(
    cloud: ControlPlaneProcess, clinic: Path
) -> None:
    await enrolled(cloud, clinic)
    link = through_a_proxy(site_paths(clinic).courier)
    try:
        async with asyncio.timeout(LIMIT_S):
            set_updates(clinic, closed_now())
            with running(clinic):
                rollout = await begun(cloud, f"knowledge/{NAME}/1.0", "--watch", "1")
                await until(lambda: waits_for_a_window(clinic))
                (shown,) = await updates(clinic)
                assert (shown["step"], shown["state"], shown["bytes_fetched"]) == ("fetch", "running", 0)
            assert 0 < link.bytes_down < SMALL_BYTES_MAX
            waited = link.bytes_down
            set_updates(clinic, open_now())
            with running(clinic):
                assert places(await until_state(cloud, rollout, "done")) == ["kept"]
                (shown,) = await updates(clinic)
            assert shown["state"] == "kept"
            assert shown["bytes_fetched"] > SIZE
            assert SIZE < link.bytes_down - waited < 1.1 * SIZE
            assert most_at_once(link.came) <= BURST
    finally:
        link.close()


async def waits_for_a_window(site: Path) -> bool:
    if not site_paths(site).admin_socket.exists():
        return False
    found = (await told(site))["updates"]
    return [(one["step"], one["reason"]) for one in found] == [("fetch", "window")]
