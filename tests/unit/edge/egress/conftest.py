"""A text guard in a site of its own, and a conversation of a customer who agreed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from edge.chat.session import Session
from tests.unit.edge.egress.text.guard_rig import GuardRig, guard_rig


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[GuardRig]:
    async with guard_rig(tmp_path / "site") as made:
        yield made


@pytest_asyncio.fixture
async def session(rig: GuardRig) -> Session:
    return await rig.session()
