"""What cancelled answers leave behind in the courier's memory: grpc.aio leaks with each cancelled batch."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from edge.config import SitePaths
from edge.egress.overflow.client import OverflowClient, Text
from tests.contract.courier_process import CourierProcess, memory_mb, new_site, until
from tests.contract.overflow_rig import attached, overflow_clouds, recorded, sealed

CANCELLED = 2000
AT_ONCE = 20
# Measured: 0.1 kB after the first 200. A day of 10,000 that nobody waited for, ten times more than any site is expected
# to have, may cost the courier 10 MB.
KB_EACH_MAX = 1.0


@pytest.mark.long
async def test_two_thousand_cancelled_answers_leave_little_behind(tmp_path: Path) -> None:
    paths = new_site(tmp_path / "site")
    courier = CourierProcess(paths)
    async with overflow_clouds(paths) as (cloud,):
        await courier.start()
        try:
            async with attached(paths) as client:
                cloud.go_on.clear()
                await _cancelled(200, client, paths)  # what is loaded and allocated once
                before = memory_mb(courier.pid)
                await _cancelled(CANCELLED, client, paths)
                each_kb = 1024 * (memory_mb(courier.pid) - before) / CANCELLED
        finally:
            await courier.stop()
    print(f"{each_kb:.2f} kB a cancelled answer")
    assert each_kb <= KB_EACH_MAX


async def _cancelled(count: int, client: OverflowClient, paths: SitePaths) -> None:
    async def one() -> None:
        async with aclosing(client.generate(sealed(paths), deadline_s=30)) as answer:
            assert await anext(answer) == Text("The")

    ended = recorded(paths, "close") + count
    for _ in range(count // AT_ONCE):
        await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    await until(lambda: recorded(paths, "close") == ended)
