"""Single sign-on against a real provider: the way in, every way that must not be one, and local accounts beside it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from core.network import NotLocal
from edge.config import OidcSection
from edge.store import operators
from edge.store.operators import Role, State
from edge.web.console.oidc import Attempt, ProviderClient, SignOnAway
from tests.integration.site_console.rig import Rig, Staff, console_rig
from tests.ports import free_port

PROVIDER = Path(__file__).parent / "provider.mjs"
ROOT = Path(__file__).parents[3]
CLIENT, SECRET = "postern-console", "a secret between the two"


class Provider:
    """The provider's process, and what it is told to do next."""

    def __init__(self, port: int, issuer: str, control: str) -> None:
        self.port = port
        """Of the console that it sends people back to."""
        self.issuer = issuer
        self._control = control

    async def next(self, **wanted: Any) -> None:
        """Who logs in, with which claims; what is spoiled in the token, and whose key signs it."""
        async with aiohttp.ClientSession() as http, http.post(self._control, json=wanted) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """One for all tests: each says anew who logs in, from a browser of its own, to a console of its own."""
    port = free_port()
    callback = f"http://127.0.0.1:{port}/console/oidc/callback"
    command = ["node", str(PROVIDER), callback, CLIENT, SECRET]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            assert process.stdout is not None
            yield Provider(port, **json.loads(process.stdout.readline()))
        finally:
            process.kill()


@pytest_asyncio.fixture
async def both(provider: Provider, tmp_path: Path) -> AsyncIterator[tuple[Rig, Provider]]:
    """A console that knows the provider, at the port that the provider knows."""
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n")
    settings = f"""
[console.oidc]
issuer = "{provider.issuer}"
client_id = "{CLIENT}"
client_secret_file = "{secret}"
roles = {{ "clinic-desk" = "desk", "clinic-dpo" = "data-protection" }}
"""
    async with console_rig(tmp_path, settings, port=provider.port) as rig:
        assert (await rig.visitor().claim(rig.claim_code))[0] == 303
        yield rig, provider


async def to_provider(staff: Staff) -> str:
    """Begin at the login page's button; the console's answer is the provider's address."""
    _, page = await staff.get("/login")
    assert "/console/oidc" in page
    status, where = await staff.get("/oidc")
    assert status == 303, where
    return where


async def back(staff: Staff, where: str) -> str:
    """Follow the provider until it sends the browser back; the address it sends it to."""
    for _ in range(10):
        async with staff.http.get(URL(where, encoded=True), allow_redirects=False) as answer:
            assert answer.status in (302, 303), await answer.text()
            where = str(URL(where).join(URL(answer.headers["Location"], encoded=True)))
        if "/console/oidc/callback" in where:
            return where
    raise AssertionError("the provider goes round in circles")


async def arrive(staff: Staff, where: str) -> tuple[int, str]:
    async with staff.http.get(URL(where, encoded=True), allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def sign_on(staff: Staff) -> tuple[int, str]:
    return await arrive(staff, await back(staff, await to_provider(staff)))


@pytest.mark.proves("access")
async def test_somebody_with_a_role_comes_in_with_that_role(both: tuple[Rig, Provider]) -> None:
    rig, provider = both
    await provider.next(
        account="mira", claims={"roles": ["clinic-desk", "something-else"], "name": "Mira K."}
    )
    staff = rig.visitor()
    status, page = await sign_on(staff)
    assert (status, 'content="0; url=/console/"' in page) == (200, True)
    assert (await staff.get("/inbox"))[0] == 200
    assert (await staff.get("/audit"))[0] == 403
    mira = await rig.store.read(lambda db: operators.find(db, "mira"))
    assert mira is not None
    assert (mira.roles, mira.display_name, mira.single_sign_on) == ({Role.DESK}, "Mira K.", True)
    assert ("mira", "login", "mira", "done") in await rig.audited()


async def test_the_role_is_the_providers_at_each_login_and_one_claim_may_be_plain_text(
    both: tuple[Rig, Provider],
) -> None:
    rig, provider = both
    await provider.next(account="mira", claims={"roles": "clinic-desk"})
    await sign_on(rig.visitor())
    await provider.next(account="mira", claims={"roles": ["clinic-dpo"]})
    staff = rig.visitor()
    await sign_on(staff)
    assert (await staff.get("/audit"))[0] == 200
    assert (await staff.get("/inbox"))[0] == 403
    assert len(await rig.store.read(operators.listing)) == 2


async def test_a_token_signed_anew_without_a_fault_is_accepted(both: tuple[Rig, Provider]) -> None:
    """So that what follows is refused for its fault, not for having been touched."""
    rig, provider = both
    await provider.next(
        account="mira", claims={"roles": ["clinic-desk"]}, spoil={"name": "Mira", "aud": [CLIENT]}
    )
    assert (await sign_on(rig.visitor()))[0] == 200


@pytest.mark.proves("access")
@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"spoil": {"nonce": "another"}}, 401),
        ({"spoil": {"aud": "another-client"}}, 401),
        ({"spoil": {"aud": [CLIENT, "another-client"]}}, 401),
        ({"spoil": {"iss": "https://another.example"}}, 401),
        ({"spoil": {"exp": int(time.time()) - 3600}}, 401),
        ({"spoil": {"iat": int(time.time()) + 86_400}}, 401),
        ({"key": "another"}, 401),
        ({"claims": {}}, 403),
        ({"claims": {"roles": ["visitor"]}}, 403),
    ],
    ids=["nonce", "audience", "audiences", "issuer", "expired", "future", "key", "no role", "other role"],
)
async def test_a_token_that_is_not_as_it_must_be_lets_nobody_in(
    both: tuple[Rig, Provider], wanted: dict[str, Any], status: int
) -> None:
    rig, provider = both
    await provider.next(**{"account": "mira", "claims": {"roles": ["clinic-desk"]}, **wanted})
    staff = rig.visitor()
    found, page = await sign_on(staff)
    assert found == status, page
    assert (await staff.get("/"))[0] == 303
    assert await rig.store.read(lambda db: operators.find(db, "mira")) is None
    assert (
        "unknown",
        "login.refused",
        f"oidc {'no_role_here' if status == 403 else 'sign_on_failed'}",
        "refused",
    ) in (await rig.audited())
    assert (await staff.log_in("ada"))[0] == 303


async def test_an_answer_to_another_browser_another_state_or_a_second_time_is_none(
    both: tuple[Rig, Provider],
) -> None:
    rig, provider = both
    await provider.next(account="mira", claims={"roles": ["clinic-desk"]})
    mine, other = rig.visitor(), rig.visitor()
    address = await back(mine, await to_provider(mine))
    await to_provider(other)
    assert (await arrive(other, address))[0] == 401
    address = await back(mine, await to_provider(mine))
    forged = str(URL(address).update_query(state="made-up"))
    assert (await arrive(mine, forged))[0] == 401
    assert (await arrive(mine, address))[0] == 200
    assert (await arrive(mine, address))[0] == 401
    refused = await to_provider(other)
    state = URL(refused).query["state"]
    assert (await other.get(f"/oidc/callback?state={state}&error=access_denied"))[0] == 401


async def test_a_provider_that_is_away_locks_nobody_out(tmp_path: Path) -> None:
    settings = f"""
[console.oidc]
issuer = "http://127.0.0.1:{free_port()}"
client_id = "{CLIENT}"
roles = {{ "clinic-desk" = "desk" }}
"""
    async with console_rig(tmp_path, settings) as rig:
        staff = rig.visitor()
        await staff.claim(rig.claim_code)
        guest = rig.visitor()
        status, page = await guest.get("/oidc")
        assert (status, "local account" in page) == (503, True)
        assert (await guest.log_in("ada"))[0] == 303


async def test_a_disabled_operator_stays_out_and_a_local_name_is_not_taken_over(
    both: tuple[Rig, Provider],
) -> None:
    rig, provider = both
    await provider.next(account="ada", claims={"roles": ["clinic-desk"]})
    staff = rig.visitor()
    assert (await sign_on(staff))[0] == 200
    names = {operator.name for operator in await rig.store.read(operators.listing)}
    (taken,) = names - {"ada"}
    assert taken.startswith("ada.")
    await rig.store.write(lambda db: operators.set_state(db, "test", taken, State.DISABLED))
    assert (await sign_on(rig.visitor()))[0] == 403


async def test_a_provider_outside_the_site_is_never_asked() -> None:
    settings = OidcSection(issuer="https://203.0.113.7", client_id=CLIENT, roles={"x": "desk"})
    with pytest.raises(NotLocal):
        await ProviderClient(settings, "").begin("http://127.0.0.1/", Attempt.new())


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(both: tuple[Rig, Provider]) -> None:
    _, provider = both
    alias = provider.issuer.replace("localhost", "127.0.0.1")
    settings = OidcSection(issuer=alias, client_id=CLIENT, roles={"x": "desk"})
    with pytest.raises(SignOnAway, match="issuer"):
        await ProviderClient(settings, "").begin("http://127.0.0.1/", Attempt.new())
