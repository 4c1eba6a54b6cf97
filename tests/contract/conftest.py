"""What tests of several parts of the courier share."""

from __future__ import annotations

import asyncio

import pytest

from edge.egress.courier.witnessing import Witnessing


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Once set, a witness has refused the ledger of each courier in this process."""
    refused = asyncio.Event()

    async def keep(witnessing: Witnessing) -> None:
        await refused.wait()
        await witnessing._stop("split_view")

    monkeypatch.setattr(Witnessing, "keep", keep)
    return refused
