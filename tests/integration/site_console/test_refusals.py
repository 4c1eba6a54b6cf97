"""Who does not get in at the site's console: cookies, tokens, codes, passwords and envelopes in wrong hands; with rows.

One console and one first operator for all of them; each case counts its own row once more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from sqlite_utils import Database

from core.signing import content_hash
from edge.operations.operators import OperatorOperations
from edge.store import audit, operators
from edge.store.audit import AuditFilter
from edge.store.operators import Role
from edge.web.console.rules import PREFIX
from tests.integration.site_console.rig import PASSWORD, Rig, Staff, console_rig

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOGIN = (303, f"{PREFIX}/login")
COOKIE = "postern-console"
Row = tuple[str, str]
"""Actor and action of a refusal."""
Case = Callable[[Rig], Awaitable[None]]
CASES: dict[str, tuple[Row, Case]] = {}


def case(name: str, actor: str, action: str) -> Callable[[Case], Case]:
    """One way of not getting in. The function asserts that it is refused; the row is asserted here for all."""

    def keep(attempt: Case) -> Case:
        assert name not in CASES
        CASES[name] = ((actor, action), attempt)
        return attempt

    return keep


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with console_rig(tmp_path_factory.mktemp("refusals")) as served:
        # As the real one, only quick: some forty passwords are hashed here.
        served.accounts._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        served.accounts._nobody = served.accounts._hasher.hash("nobody")
        assert (await served.visitor().claim(served.claim_code))[0] == 303
        yield served


async def refusals(rig: Rig) -> Counter[Row]:
    def read(db: Database) -> Counter[Row]:
        counted = Counter[Row]()
        for row in audit.search(db, AuditFilter(outcome="refused"), 1000):
            counted[row.actor, row.action] += row.count
        return counted

    return await rig.store.read(read)


# --- cookies ---


async def eve(rig: Rig) -> Staff:
    """An operator, logged in, whose cookie goes into wrong hands."""
    if await rig.store.read(lambda db: operators.find(db, "eve")) is None:
        hashed = await rig.accounts.new_password("eve", PASSWORD)
        await rig.store.write(lambda db: operators.add(db, "test", "eve", [Role.DESK], hashed))
    await rig.store.write(lambda db: operators.set_state(db, "test", "eve", operators.State.ACTIVE))
    staff = rig.visitor()
    assert (await staff.log_in("eve"))[0] == 303
    return staff


def cookie_of(staff: Staff) -> str:
    return next(item.value for item in staff.http.cookie_jar if item.key == COOKIE)


async def shown(rig: Rig, cookie: str, **headers: str) -> tuple[int, str]:
    """What a browser that never logged in gets for this cookie."""
    return await rig.visitor().get("/inbox", Cookie=f"{COOKIE}={cookie}", **headers)


@case("a forged cookie", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    assert await shown(rig, "x" * 43) == LOGIN


@case("a stolen cookie in another browser", "eve", "login.elsewhere")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    assert await shown(rig, cookie_of(victim), **{"User-Agent": "a thief's"}) == LOGIN
    assert await victim.get("/inbox") == LOGIN


@case("a cookie as a program's token", "eve", "login.elsewhere")
async def _(rig: Rig) -> None:
    assert not await rig.door._console.result().staff(no_request(), cookie_of(await eve(rig)))


@case("a cookie after logging out", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    cookie = cookie_of(victim)
    assert (await victim.submit("/inbox", "/logout"))[0] == 303
    assert await shown(rig, cookie) == LOGIN


@case("a cookie past its ten hours", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    await aged(rig, victim, "expires_ms = 1")
    assert await victim.get("/inbox") == LOGIN


@case("a cookie of somebody who walked away", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    await aged(rig, victim, "seen_ms = seen_ms - 900000")
    assert await victim.get("/inbox") == LOGIN


@case("a cookie of an operator who was disabled", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    await rig.store.write(lambda db: operators.set_state(db, "ada", "eve", operators.State.DISABLED))
    assert await victim.get("/inbox") == LOGIN


@case("a cookie from before a new password", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    hashed = await rig.accounts.new_password("eve", PASSWORD)
    await rig.store.write(lambda db: operators.set_password(db, "ada", "eve", hashed))
    assert await victim.get("/inbox") == LOGIN


@case("a cookie from before the browser logged in anew", "unknown", "login.cookie")
async def _(rig: Rig) -> None:
    victim = await eve(rig)
    before = cookie_of(victim)
    csrf = await victim.csrf("/inbox")
    assert (await victim.post("/login", {"csrf": csrf, "name": "eve", "password": PASSWORD}))[0] == 303
    assert cookie_of(victim) != before
    assert await shown(rig, before) == LOGIN


async def aged(rig: Rig, staff: Staff, change: str) -> None:
    digest = content_hash(cookie_of(staff).encode())
    await rig.store.write(
        lambda db: db.execute(f"UPDATE operator_sessions SET {change} WHERE token_hash = ?", [digest])
    )


# --- tokens of programs ---


async def program_token(rig: Rig) -> str:
    """What `postern operators token ada` prints."""
    made = await OperatorOperations(rig.store, lambda: rig.accounts).token({"name": "ada"}, lambda _: None)
    return str(made["token"])  # type: ignore[index]


def no_request() -> object:
    """The bearer's token is all that is looked at."""
    return object()


@case("a program's token as a cookie", "ada", "login.elsewhere")
async def _(rig: Rig) -> None:
    assert await shown(rig, await program_token(rig)) == LOGIN


# --- codes, passwords, envelopes ---


@case("a claim code that was spent", "unknown", "claim.refused")
async def _(rig: Rig) -> None:
    assert (await rig.visitor().claim(rig.claim_code, "mallory"))[0] == 401


@case("a claim code that was made up", "unknown", "claim.refused")
async def _(rig: Rig) -> None:
    assert (await rig.visitor().claim("0000-0000-0000-0000", "mallory"))[0] == 401


@case("a wrong password", "ada", "login.refused")
async def _(rig: Rig) -> None:
    assert (await rig.visitor().log_in("ada", "guessed it maybe"))[0] == 401


@case("a name that nobody has", "unknown", "login.refused")
async def _(rig: Rig) -> None:
    assert (await rig.visitor().log_in("mallory"))[0] == 401


@case("a name that is no name", "unknown", "login.refused")
async def _(rig: Rig) -> None:
    assert (await rig.visitor().log_in("' OR 1 --"))[0] == 401


@case("the right password of somebody who is disabled", "unknown", "login.refused")
async def _(rig: Rig) -> None:
    await eve(rig)
    await rig.store.write(lambda db: operators.set_state(db, "ada", "eve", operators.State.DISABLED))
    assert (await rig.visitor().log_in("eve"))[0] == 401


@case("the sealed account at the ordinary login", "break-glass", "login.refused")
async def _(rig: Rig) -> None:
    first, _ = await rig.sealed()
    assert (await rig.visitor().log_in("break-glass", first.replace("-", "")))[0] == 401


@case("one envelope alone", "break-glass", "login.break-glass")
async def _(rig: Rig) -> None:
    first, _ = await rig.sealed()
    assert (await rig.visitor().break_glass(first, ""))[0] == 401


@case("one envelope twice", "break-glass", "login.break-glass")
async def _(rig: Rig) -> None:
    _, second = await rig.sealed()
    assert (await rig.visitor().break_glass(second, second))[0] == 401


@case("envelopes of before the last sealing", "break-glass", "login.break-glass")
async def _(rig: Rig) -> None:
    before = await rig.sealed()
    await rig.sealed()
    assert (await rig.visitor().break_glass(*before))[0] == 401


@case("envelopes whose hour is over", "break-glass", "login.break-glass")
async def _(rig: Rig) -> None:
    envelopes = await rig.sealed()
    assert (await rig.visitor().break_glass(*envelopes))[0] == 303
    await rig.store.write(
        lambda db: db.execute(
            "UPDATE audit SET at_ms = at_ms - 3600000 WHERE action = ? AND outcome = 'done'",
            [operators.OPENED],
        )
    )
    assert (await rig.visitor().break_glass(*envelopes))[0] == 401


# --- forms and roles ---


@case("a form without the token of its session", "eve", "inbox.take")
async def _(rig: Rig) -> None:
    assert (await (await eve(rig)).post("/inbox/1/take", {}))[0] == 403


@case("a form with the token of another session", "eve", "inbox.take")
async def _(rig: Rig) -> None:
    foreign = await rig.visitor().csrf()
    assert (await (await eve(rig)).post("/inbox/1/take", {"csrf": foreign}))[0] == 403


@case("a form of another site", "eve", "inbox.take")
async def _(rig: Rig) -> None:
    staff = await eve(rig)
    csrf, evil = await staff.csrf("/inbox"), {"Origin": "https://evil.example"}
    assert (await staff.post("/inbox/1/take", {"csrf": csrf}, evil))[0] == 403


@case("a form of somebody who is not logged in", "unknown", "inbox.take")
async def _(rig: Rig) -> None:
    assert (await rig.visitor().post("/inbox/1/take", {}))[0] == 403


@case("a page of another role", "eve", "audit.view")
async def _(rig: Rig) -> None:
    assert (await (await eve(rig)).get("/audit"))[0] == 403


@pytest.mark.parametrize("name", CASES)
@pytest.mark.proves("access")
async def test_it_is_refused_and_written_down(rig: Rig, name: str) -> None:
    what, attempt = CASES[name]
    rig.accounts._by_address._times.clear()  # so many wrong logins from one address are themselves refused
    before = (await refusals(rig))[what]
    await attempt(rig)
    assert (await refusals(rig))[what] > before


async def test_the_cookie_is_kept_from_scripts_other_sites_and_plain_http(tmp_path: Path) -> None:
    async with console_rig(tmp_path, "\n[console]\nbehind_tls_proxy = true\n") as rig:
        said, _ = await claimed_through_a_proxy(rig, "10.0.0.7")
        assert said.startswith(f"__Host-{COOKIE}=")
        assert {"HttpOnly", "Secure", "SameSite=Strict", "Path=/"} <= {
            part.strip() for part in said.split(";")
        }
        assert "Domain" not in said


async def test_behind_a_proxy_a_cookie_works_from_its_own_address_only(tmp_path: Path) -> None:
    async with console_rig(tmp_path, "\n[console]\nbehind_tls_proxy = true\n") as rig:
        said, _ = await claimed_through_a_proxy(rig, "10.0.0.7")
        cookie = said.partition(";")[0]

        async def status(forwarded: str) -> int:
            return (await rig.visitor().get("/", Cookie=cookie, **{"X-Forwarded-For": forwarded}))[0]

        assert await status("10.0.0.7") == 200
        assert await status("192.0.2.1, 10.0.0.7") == 200  # what a browser writes itself stands before
        assert await status("10.0.0.7, 10.0.0.8") == 303
        assert await status("10.0.0.7") == 303
        assert (await refusals(rig))["ada", "login.elsewhere"] == 1


async def claimed_through_a_proxy(rig: Rig, address: str) -> tuple[str, Staff]:
    """The session's cookie as it is set. The proxy speaks TLS; cookies that want it are carried by hand."""
    staff, forwarded = rig.visitor(), {"X-Forwarded-For": address}
    async with staff.http.get(f"{staff.url}/claim", headers=forwarded) as answer:
        visit = answer.headers["Set-Cookie"].partition(";")[0]
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', await answer.text())
    assert found
    fields = {"csrf": found[1], "code": rig.claim_code, "name": "ada"}
    fields |= {"password": PASSWORD, "password_again": PASSWORD}
    sent = forwarded | {"Cookie": visit}
    async with staff.http.post(
        f"{staff.url}/claim", data=fields, headers=sent, allow_redirects=False
    ) as answer:
        assert answer.status == 303
        return answer.headers["Set-Cookie"], staff
