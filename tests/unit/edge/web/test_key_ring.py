"""Who may do what with a key: scopes, each limit at, below and above, wrong keys, and revoking at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from sqlite_utils import Database

from edge.chat.admission import RateLimited
from edge.store import api_keys, migrations
from edge.store.allowance import Allowance
from edge.store.api_keys import Scope
from edge.web.key_ring import (
    WRONG_KEYS_PER_MINUTE,
    InvalidApiKey,
    KeyRing,
    ScopeMissing,
    TooManyAtOnce,
)


class StoreInMemory:
    """A store without threads: what is written is there."""

    def __init__(self) -> None:
        self.db = Database(sqlite3.connect(":memory:"))
        migrations.site.apply(self.db)
        self.writes = 0

    async def write(self, run: Callable[[Database], Any]) -> Any:
        self.writes += 1
        return run(self.db)

    async def read(self, run: Callable[[Database], Any]) -> Any:
        return run(self.db)


class Rig:
    """A ring with one key, and a clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.store = StoreInMemory()
        self.ring = KeyRing(self.store, clock=lambda: self.now_s)  # type: ignore[arg-type]
        self.secret = ""

    async def key(self, *scopes: Scope, requests: int = 60, tokens: int = 600, concurrent: int = 2) -> None:
        allowance = Allowance(requests, tokens, concurrent)
        _, self.secret = await self.ring.new("ada", "search", scopes, allowance, None)

    def enter(self, scope: Scope | None = Scope.EMBEDDINGS, *, secret: str = "", address: str = "::1") -> Any:
        return self.ring.enter(f"Bearer {secret or self.secret}", address, scope)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_a_key_opens_its_scopes_and_every_key_opens_what_needs_none(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS)
    with rig.enter() as use:
        assert use.key.name == "search"
    with rig.enter(None):
        pass
    with pytest.raises(ScopeMissing), rig.enter(Scope.CHAT):
        pass


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer pstn_wrong", "Basic {secret}", "{secret}", "Bearer {secret}x"]
)
async def test_anything_else_is_no_key(rig: Rig, header: str) -> None:
    await rig.key(Scope.EMBEDDINGS)
    with pytest.raises(InvalidApiKey):
        with rig.ring.enter(header.format(secret=rig.secret), "::1", None):
            pass


async def test_requests_a_minute(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS, requests=3)
    for _ in range(3):
        with rig.enter():
            pass
    with pytest.raises(RateLimited) as refused, rig.enter():
        pass
    assert refused.value.retry_after_s == 20
    rig.now_s += 20
    with rig.enter():
        pass


async def test_tokens_are_counted_afterwards_and_the_next_request_waits_for_them(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS, tokens=60)
    with rig.enter() as use:
        use.spend(59)
    with rig.enter() as use:  # one is left: this one is let in, and takes more
        use.spend(31)
    with pytest.raises(RateLimited) as refused, rig.enter():
        pass
    assert refused.value.retry_after_s == 31
    rig.now_s += 31
    with rig.enter():
        pass


async def test_requests_at_once(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS, concurrent=2)
    with ExitStack() as stack:
        stack.enter_context(rig.enter())
        stack.enter_context(rig.enter())
        with pytest.raises(TooManyAtOnce), rig.enter():
            pass
    with rig.enter():
        pass


async def test_a_request_that_fails_gives_its_place_back(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS, concurrent=1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), rig.enter():
            raise ZeroDivisionError


async def test_wrong_keys_are_slowed_down_and_hold_up_nobody_else(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS)
    for _ in range(WRONG_KEYS_PER_MINUTE):
        with pytest.raises(InvalidApiKey), rig.enter(secret="pstn_guess"):
            pass
    with pytest.raises(RateLimited), rig.enter(secret="pstn_guess"):
        pass
    with rig.enter():  # the right key from the same address
        pass
    with pytest.raises(InvalidApiKey), rig.enter(secret="pstn_guess", address="::2"):
        pass


async def test_a_revoked_key_is_out_of_use_at_once_and_stays_so(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS)
    await rig.ring.revoke("ada", "search")
    with pytest.raises(InvalidApiKey), rig.enter():
        pass
    await rig.ring.load()
    with pytest.raises(InvalidApiKey), rig.enter():
        pass


async def test_a_key_is_found_again_after_a_restart(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS)
    rig.ring = KeyRing(rig.store)  # type: ignore[arg-type]
    await rig.ring.load()
    with rig.enter():
        pass


async def test_the_day_of_use_is_written_once(rig: Rig) -> None:
    await rig.key(Scope.EMBEDDINGS)
    before = rig.store.writes
    for _ in range(3):
        with rig.enter() as use:
            await rig.ring.note_use(use)
    assert rig.store.writes == before + 1
    assert (await rig.ring.listing())[0].used_day == api_keys.today()
