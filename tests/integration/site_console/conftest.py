"""A console of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.integration.site_console.rig import Rig, Staff, console_rig


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with console_rig(tmp_path) as served:
        yield served


@pytest_asyncio.fixture
async def ada(rig: Rig) -> Staff:
    """The first operator, who has every role."""
    staff = rig.visitor()
    assert (await staff.claim(rig.claim_code))[0] == 303
    return staff
