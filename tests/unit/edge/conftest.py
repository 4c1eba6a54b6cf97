"""An empty site's folder, and its store opened: real encrypted files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from edge.config import SitePaths, site_paths
from edge.store.store import Store


@pytest.fixture
def paths(tmp_path: Path) -> SitePaths:
    return site_paths(tmp_path)


@pytest_asyncio.fixture
async def store(paths: SitePaths) -> AsyncIterator[Store]:
    opened = Store.open(paths)
    yield opened
    await opened.close()
