"""When the courier asks for a certificate: by what links have shown, and by one clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.errors import NotReachable
from edge.egress.identity import renewal
from edge.egress.identity.identity import Enrolment, Identity
from edge.egress.identity.keeper import IdentityKeeper
from edge.egress.identity.renewal_rules import Reach
from tests.contract.courier_process import until

HALF_S, END_S = 50, 100


@asynccontextmanager
async def keeping(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[IdentityKeeper]:
    """A certificate that is past half its life; whoever is asked for the next one cannot be reached."""

    def failing(name: str) -> Any:
        async def ask(*_: object) -> Identity:
            asked.append(name)
            raise NotReachable("Nobody is there.")

        return ask

    for name in ("renew", "reattest"):
        monkeypatch.setattr(renewal, name, failing(name))
    enrolment = Enrolment(
        "node", "Test", "127.0.0.1:1", "cloud", enrolment_endpoint="127.0.0.1:2", expires_unix_s=END_S
    )
    mine = Identity(enrolment, b"", b"", b"")

    async def adopt(*_: object) -> None:
        raise AssertionError("there is none")

    keeper = IdentityKeeper(lambda: mine, adopt, None, lambda: HALF_S + 20.0)  # type: ignore[arg-type]
    task = asyncio.create_task(keeper.keep())
    try:
        yield keeper
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_nothing_is_asked_while_nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with keeping(asked, monkeypatch) as keeper:
        keeper.saw(Reach.UP)
        await until(lambda: asked == ["renew"])
        keeper.saw(Reach.UNKNOWN)
        # Longer than it holds back after a failure: a twentieth of this certificate's life.
        monkeypatch.setattr(keeper, "_not_before", 0.0)
        keeper.saw(Reach.UNKNOWN)
        for _ in range(10):
            await asyncio.sleep(0)
        assert asked == ["renew"]
        keeper.saw(Reach.UP)
        await until(lambda: asked == ["renew", "renew"])


async def test_renewals_that_failed_hold_up_no_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with keeping(asked, monkeypatch) as keeper:
        keeper.saw(Reach.UP)
        await until(lambda: asked == ["renew"])
        monkeypatch.setattr(keeper, "_not_before", asyncio.get_running_loop().time() + 3600)
        keeper.saw(Reach.UNKNOWN)
        keeper.saw(Reach.REFUSED)
        await until(lambda: asked == ["renew", "reattest"])
        monkeypatch.setattr(keeper, "_not_before", asyncio.get_running_loop().time() + 3600)
        keeper.saw(Reach.UNKNOWN)
        keeper.saw(Reach.REFUSED)
        for _ in range(10):
            await asyncio.sleep(0)
        assert asked == ["renew", "reattest"]
