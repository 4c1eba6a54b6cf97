"""Logins of the site: two halves open the sealed account for a time; a login works in one browser; rows tell of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlite_utils import Database

from core.attempts import TooManyAttempts
from core.signing import content_hash
from core.webshell import security
from core.webshell.accounts import (
    ATTEMPTS_PER_ADDRESS,
    ATTEMPTS_PER_NAME,
    ENVELOPE_BYTES,
    NO_BROWSER,
    Accounts,
    Emergency,
    Sealed,
    SealRefused,
    Visitor,
    WrongCredentials,
)
from edge.config import site_paths
from edge.site_setup import create_site
from edge.store import audit, operators
from edge.store.audit import AuditFilter
from edge.store.operators import BREAK_GLASS, Role, Seal
from edge.store.store import Store
from edge.web.console.accounts import OperatorAccounts

LIFE = timedelta(minutes=60)
IDLE = timedelta(hours=5)
PASSWORD = "a gate in a long wall"
HERE = Visitor("10.0.0.7", b"one browser")
ELSEWHERE = Visitor("10.0.0.8", b"another browser")


@dataclass
class Desk:
    """Accounts on a real store, with a clock that the test moves."""

    store: Store
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    accounts: Accounts = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(
            OperatorAccounts(self.store, IDLE), lambda: self.now, Emergency(BREAK_GLASS, LIFE)
        )
        # As the real one, only quick: what it costs is measured by nobody here.
        self.accounts._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.accounts._nobody = self.accounts._hasher.hash("nobody")

    async def sealed(self) -> Sealed:
        seal = await self.accounts.new_seal()
        await self.store.write(lambda db: operators.seal_break_glass(db, "terminal:root", seal.hashes))
        return seal

    async def operator(self) -> None:
        hashed = await self.accounts.new_password("ada", PASSWORD)
        await self.store.write(lambda db: operators.add(db, "test", "ada", [Role.DESK], hashed))

    async def rows(self, action: str = "login") -> list[str]:
        """Actor, action and outcome, oldest first."""

        def read(db: Database) -> list[str]:
            found = reversed(audit.search(db, AuditFilter(action=action), 1000))
            return [f"{row.actor} {row.action} {row.outcome}" for row in found]

        return await self.store.read(read)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    paths = site_paths(tmp_path / "site")
    create_site(paths, "empty", http_port=0)
    store = Store.open(paths)
    yield Desk(store)
    await store.close()


async def test_both_halves_open_the_sealed_account(desk: Desk) -> None:
    first, second = (await desk.sealed()).envelopes
    assert first != second
    assert len(first.replace("-", "")) * 5 == ENVELOPE_BYTES * 8
    token = await desk.accounts.break_glass(first.lower(), second.replace("-", " "), HERE)
    account = await desk.accounts.account_of(token, HERE.browser)
    assert account is not None
    assert (account.name, account.emergency, account.roles) == (BREAK_GLASS, True, set(Role))
    assert await desk.rows() == ["break-glass login.break-glass done"]


@pytest.mark.parametrize(
    "halves",
    [(0, None), (None, 1), (0, 0), (1, 1), (1, 0), (None, None)],
    ids=["first alone", "second alone", "first twice", "second twice", "exchanged", "none"],
)
@pytest.mark.proves("emergency-access")
async def test_no_half_opens_anything_alone(desk: Desk, halves: tuple[int | None, int | None]) -> None:
    envelopes = (await desk.sealed()).envelopes
    first, second = ("" if half is None else envelopes[half] for half in halves)
    with pytest.raises(SealRefused):
        await desk.accounts.break_glass(first, second, HERE)
    for half in (first, second, "".join(envelopes)):
        with pytest.raises(WrongCredentials):
            await desk.accounts.log_in(BREAK_GLASS, half, HERE)
    assert set(await desk.rows()) == {
        "break-glass login.break-glass refused",
        "break-glass login.refused refused",
    }


async def test_a_seal_that_is_old_or_not_there_is_refused_like_a_wrong_half(desk: Desk) -> None:
    said: set[tuple[str, str]] = set()
    for prepare in ("", "UPDATE operators SET second_hash = NULL", None):
        halves = ("nothing", "at all")
        if prepare is not None:
            halves = (await desk.sealed()).envelopes
        if prepare:
            await desk.store.write(lambda db, sql=prepare: db.execute(sql))
        if prepare == "":
            halves = (halves[1], halves[0])
        if prepare is None:
            await desk.store.write(lambda db: db.execute("DELETE FROM operators"))
        with pytest.raises(SealRefused) as caught:
            await desk.accounts.break_glass(*halves, HERE)
        said.add((caught.value.detail, caught.value.remedy))
    assert len(said) == 1


@pytest.mark.proves("emergency-access")
async def test_the_time_runs_from_the_first_use_and_then_both_halves_are_void(desk: Desk) -> None:
    halves = (await desk.sealed()).envelopes
    began = desk.now
    first = await desk.accounts.break_glass(*halves, HERE)
    desk.now = began + LIFE / 2
    second = await desk.accounts.break_glass(*halves, HERE)  # the browser was closed: the same hour goes on
    desk.now = began + LIFE - timedelta(milliseconds=1)
    for token in (first, second):
        assert await desk.accounts.account_of(token, HERE.browser)
    desk.now = began + LIFE
    for token in (first, second):
        assert await desk.accounts.account_of(token, HERE.browser) is None
    with pytest.raises(SealRefused):
        await desk.accounts.break_glass(*halves, HERE)
    assert await desk.store.read(operators.seal) is Seal.BROKEN
    anew = (await desk.sealed()).envelopes
    assert await desk.store.read(operators.seal) is Seal.WHOLE
    assert await desk.accounts.break_glass(*anew, HERE)
    with pytest.raises(SealRefused):
        await desk.accounts.break_glass(*halves, HERE)


async def test_sealing_anew_ends_what_is_open(desk: Desk) -> None:
    token = await desk.accounts.break_glass(*(await desk.sealed()).envelopes, HERE)
    await desk.sealed()
    assert await desk.accounts.account_of(token, HERE.browser) is None


async def test_guesses_at_the_seal_are_limited_as_those_at_passwords(desk: Desk) -> None:
    halves = (await desk.sealed()).envelopes
    for _ in range(ATTEMPTS_PER_ADDRESS):
        with pytest.raises(SealRefused):
            await desk.accounts.break_glass("0", "1", HERE)
    with pytest.raises(TooManyAttempts):
        await desk.accounts.break_glass(*halves, HERE)
    assert await desk.accounts.break_glass(*halves, ELSEWHERE)
    assert "unknown login.too-many refused" in await desk.rows()


async def test_nobodys_wrong_logins_keep_the_sealed_account_shut(desk: Desk) -> None:
    halves = (await desk.sealed()).envelopes
    for number in range(ATTEMPTS_PER_NAME):
        stranger = Visitor(f"10.0.1.{number}", b"a browser")
        with pytest.raises(WrongCredentials):
            await desk.accounts.log_in(BREAK_GLASS, "a guess at the name", stranger)
        with pytest.raises(SealRefused):
            await desk.accounts.break_glass("0", "1", stranger)
    for _ in range(ATTEMPTS_PER_ADDRESS):
        with pytest.raises((WrongCredentials, TooManyAttempts)):
            await desk.accounts.log_in("ada", "a guess at the name", HERE)
    with pytest.raises(TooManyAttempts):
        await desk.accounts.log_in("ada", "a guess at the name", HERE)
    assert await desk.accounts.break_glass(*halves, HERE)


@pytest.mark.proves("access")
async def test_a_cookie_in_another_browser_ends_its_login(desk: Desk) -> None:
    await desk.operator()
    token = await desk.accounts.log_in("ada", PASSWORD, HERE)
    assert await desk.accounts.account_of(token, HERE.browser)
    assert await desk.accounts.account_of(token, ELSEWHERE.browser) is None
    assert await desk.accounts.account_of(token, HERE.browser) is None
    assert await desk.rows() == [
        "ada login done",
        "ada login.elsewhere refused",
        "unknown login.cookie refused",
    ]


async def test_a_browsers_cookie_is_no_programs_token_nor_the_other_way_round(desk: Desk) -> None:
    await desk.operator()
    token = await desk.accounts.log_in("ada", PASSWORD, HERE)
    assert await desk.accounts.account_of(token, NO_BROWSER) is None
    program, token_hash = desk.accounts.new_token()
    now_ms = round(desk.now.timestamp() * 1000)
    await desk.store.write(
        lambda db: operators.open_session(db, token_hash, "ada", now_ms, now_ms + 60_000, NO_BROWSER)
    )
    assert await desk.accounts.account_of(program, NO_BROWSER)
    assert await desk.accounts.account_of(program, HERE.browser) is None
    assert await desk.accounts.account_of(program, NO_BROWSER) is None


async def test_another_browser_keeps_no_idle_login_alive(desk: Desk) -> None:
    await desk.operator()
    token = await desk.accounts.log_in("ada", PASSWORD, HERE)
    desk.now += IDLE - timedelta(minutes=1)
    await desk.accounts._store.session(content_hash(token.encode()), desk.now, ELSEWHERE.browser, True)
    desk.now += timedelta(minutes=1)
    assert await desk.accounts.account_of(token, HERE.browser) is None


@pytest.mark.parametrize(
    ("forwarded", "behind_proxy", "address"),
    [
        ([], True, "127.0.0.1"),
        (["10.0.0.7"], True, "10.0.0.7"),
        (["6.6.6.6, 10.0.0.7"], True, "10.0.0.7"),
        (["6.6.6.6", "10.0.0.7"], True, "10.0.0.7"),
        (["10.0.0.7"], False, "127.0.0.1"),
        (["6.6.6.6, "], True, "127.0.0.1"),
        (["10.0.0.7:49152"], True, "10.0.0.7"),
        (["6.6.6.6:1, 10.0.0.7:49153"], True, "10.0.0.7"),
        (["::ffff:10.0.0.7"], True, "10.0.0.7"),
        (["2001:db8:1:2::1"], True, "2001:db8:1:2::/64"),
        (["2001:db8:1:2:ffff:ffff:ffff:ffff"], True, "2001:db8:1:2::/64"),
        (["2001:db8:1:3::1"], True, "2001:db8:1:3::/64"),
        (["[2001:db8:1:2::1]:49152"], True, "2001:db8:1:2::/64"),
        (["[2001:db8:1:2::1]"], True, "2001:db8:1:2::/64"),
        (["fe80::1%eth0"], True, "fe80::/64"),
        (["unknown"], True, "127.0.0.1"),
        (["10.0.0.7:port"], True, "127.0.0.1"),
        (["[10.0.0.7"], True, "127.0.0.1"),
        (["9" * 5000], True, "127.0.0.1"),
    ],
)
def test_where_somebody_asks_from(forwarded: list[str], behind_proxy: bool, address: str) -> None:
    assert security.client_address("127.0.0.1", forwarded, behind_proxy) == address


@pytest.mark.parametrize(
    ("peer", "address"),
    [("10.0.0.7", "10.0.0.7"), ("2001:db8:1:2::9", "2001:db8:1:2::/64"), ("", "")],
)
def test_a_peer_is_named_as_what_a_proxy_names(peer: str, address: str) -> None:
    assert security.client_address(peer, [], False) == address


def test_another_address_or_another_kind_of_browser_is_another_browser() -> None:
    seen = {
        security.browser_of(address, agent) for address in ("10.0.0.7", "10.0.0.8") for agent in ("A", "B")
    }
    assert len(seen) == 4
