"""A control plane, a courier and a site, all real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edge.config import SitePaths
from tests.contract.courier_process import CourierProcess, new_site
from tests.integration.sync.rig import ControlPlaneProcess


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return new_site(tmp_path / "site")


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[ControlPlaneProcess]:
    process = ControlPlaneProcess(tmp_path / "cloud")
    await process.create()
    try:
        await process.start()
        yield process
    finally:
        await process.stop()


@pytest.fixture
async def courier(paths: SitePaths) -> AsyncIterator[CourierProcess]:
    process = CourierProcess(paths)
    try:
        await process.start()
        yield process
    finally:
        await process.stop()
