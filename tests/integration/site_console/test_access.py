"""Who gets in, who may do what, and that all of it is written down."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from aiohttp import web

from core.webshell.accounts import ATTEMPTS_PER_ADDRESS
from edge.knowledge.document import Audience
from edge.operations.operators import OperatorOperations
from edge.store import audit, operators
from edge.store.audit import AuditFilter
from edge.store.operators import BREAK_GLASS, Role
from edge.web.console.door import ConsoleDoor, OperatorUnknown
from edge.web.console.navigation import bar
from edge.web.console.rules import PREFIX, RULES, Rule
from edge.web.server import customer_application
from tests.integration.site_console.rig import PASSWORD, Rig, Staff, console_rig

CLOSED = [rule for rule in RULES if rule.roles is not None]


def concrete(path: str) -> str:
    """A route's path with something in its places."""
    return re.sub(r"\{\w+\}", "anything", path)


async def ask(staff: Staff, rule: Rule) -> tuple[int, str]:
    path = concrete(rule.path)
    if rule.method == "GET":
        return await staff.get(path)
    return await staff.post(path, {"csrf": await staff.csrf("/")})


async def program_token(rig: Rig) -> str:
    """What `postern operators token ada` prints."""
    made = await OperatorOperations(rig.store, lambda: rig.accounts).token({"name": "ada"}, lambda _: None)
    return str(made["token"])  # type: ignore[index]


@pytest.mark.proves("access", "audit")
async def test_every_route_of_the_console_has_a_rule() -> None:
    known = {(rule.method, PREFIX + rule.path) for rule in RULES}
    doors = {("GET", PREFIX), ("*", f"{PREFIX}/{{rest}}")}
    routes = customer_application(ConsoleDoor().routes(), None).router.routes()
    found = {
        (route.method, route.resource.canonical)
        for route in routes
        if route.method != "HEAD"
        and route.resource is not None
        and route.resource.canonical.startswith(PREFIX)
    }
    assert found - doors == known
    assert len({(rule.method, rule.path) for rule in RULES}) == len(RULES)


async def test_every_rule_has_its_page(ada: Staff) -> None:
    """A path with a page answers; a page that is missing would be an error of the server."""
    for rule in RULES:
        status, text = await ask(ada, rule) if rule.path != "/logout" else (303, "")
        assert status != 500, (rule, text)


@pytest.mark.proves("access")
async def test_strangers_see_the_login_and_nothing_else(rig: Rig, ada: Staff) -> None:
    stranger = rig.visitor()
    for rule in CLOSED:
        path = concrete(rule.path)
        if rule.method == "GET":
            assert await stranger.get(path) == (303, f"{PREFIX}/login"), rule
        else:
            assert (await stranger.post(path, {}))[0] == 403, rule
    assert (await stranger.get("/nothing-here"))[0] == 303
    assert (await stranger.get("/live", **{"HX-Request": "true"}))[0] == 401


@pytest.mark.proves("access", "audit")
@pytest.mark.parametrize("role", list(Role))
async def test_each_role_reaches_what_its_rules_say_and_refusals_are_written_down(
    rig: Rig, ada: Staff, role: Role
) -> None:
    staff = await rig.operator("bob", role)
    for rule in CLOSED:
        if rule.path == "/logout":
            continue
        status, _ = await ask(staff, rule)
        assert (status == 403) is (role not in (rule.roles or ())), (rule, status)
    refused = {action for actor, action, _, _ in await rig.audited(outcome="refused") if actor == "bob"}
    assert refused == {rule.action for rule in CLOSED if role not in (rule.roles or ())}
    _, page = await staff.get("/")
    shown = set(re.findall(rf'<a href="{PREFIX}(/[^"]*)"', page.partition("</nav>")[0].partition("<nav")[2]))
    assert shown == {entry.path for entry in bar(frozenset({role}), "/")}


@pytest.mark.proves("audit")
@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/inbox/T-7", "T-7"),
        ("/inbox/Maria%20Schmidt", ""),
        (f"/inbox/{'x' * 65}", ""),
        ("/documents/one?doc=fees.md", "fees.md"),
        ("/documents/one?doc=Maria+Schmidt+has+diabetes", ""),
    ],
)
async def test_a_row_of_a_refusal_keeps_no_words_of_whoever_is_refused(
    rig: Rig, ada: Staff, path: str, kept: str
) -> None:
    bob = await rig.operator("bob", Role.DATA_PROTECTION)
    assert (await bob.get(path))[0] == 403
    assert [row[2] for row in await rig.audited(outcome="refused")] == [kept]


async def test_the_claim_code_makes_the_first_operator_once(rig: Rig) -> None:
    visitor = rig.visitor()
    assert await visitor.get("/") == (303, f"{PREFIX}/claim")
    assert (await visitor.claim("0000-0000-0000-0000"))[0] == 401
    assert await visitor.claim(rig.claim_code.lower()) == (303, f"{PREFIX}/")
    assert (await rig.visitor().claim(rig.claim_code, "eve"))[0] == 401
    assert await rig.accounts.issue_claim() is None
    assert ("ada", "operators.add", "ada", "done") in await rig.audited()


@pytest.mark.proves("access")
async def test_wrong_logins_are_slowed_down_and_written_down(rig: Rig, ada: Staff) -> None:
    guest = rig.visitor()
    statuses = [(await guest.log_in("ada", "wrong password"))[0] for _ in range(ATTEMPTS_PER_ADDRESS + 1)]
    assert statuses == [401] * ATTEMPTS_PER_ADDRESS + [429]
    (row,) = await rig.store.read(lambda db: audit.search(db, AuditFilter(action="login.refused"), 10))
    assert row.count == ATTEMPTS_PER_ADDRESS


@pytest.mark.proves("access")
async def test_forms_need_the_sessions_token_and_our_own_origin(rig: Rig, ada: Staff) -> None:
    fields = {"name": "bob", "role": "desk", "password": PASSWORD, "password_again": PASSWORD}
    token = await ada.csrf("/operators")
    foreign = await rig.visitor().csrf()
    assert (await ada.post("/operators", fields))[0] == 403
    assert (await ada.post("/operators", {**fields, "csrf": foreign}))[0] == 403
    evil = {"Origin": "https://evil.example"}
    assert (await ada.post("/operators", {**fields, "csrf": token}, evil))[0] == 403
    assert len(await rig.store.read(operators.listing)) == 1
    assert (await ada.post("/operators", fields, {"X-CSRF-Token": token}))[0] == 303


@pytest.mark.proves("log-off")
async def test_whoever_walks_away_is_logged_off_though_the_page_refreshes(tmp_path: Path) -> None:
    async with console_rig(tmp_path, "\n[console]\nidle_log_off_s = 60\n") as rig:
        ada = rig.visitor()
        await ada.claim(rig.claim_code)
        assert (await ada.get("/live", **{"HX-Request": "true"}))[0] == 200
        aged = "UPDATE operator_sessions SET seen_ms = seen_ms - 45000"
        await rig.store.write(lambda db: db.execute(aged))
        assert (await ada.get("/live", **{"HX-Request": "true"}))[0] == 200  # does not count as being there
        await rig.store.write(lambda db: db.execute(aged))
        assert (await ada.get("/live", **{"HX-Request": "true"}))[0] == 401
        assert (await ada.log_in("ada"))[0] == 303
        await rig.store.write(lambda db: db.execute(aged))
        assert (await ada.get("/"))[0] == 200
        await rig.store.write(lambda db: db.execute(aged))
        assert (await ada.get("/"))[0] == 200


@pytest.mark.proves("emergency-access")
async def test_the_emergency_account_opens_everything_and_is_loud(rig: Rig, ada: Staff) -> None:
    envelopes, guest = await rig.sealed(), rig.visitor()
    assert "/console/break-glass" in (await guest.get("/login"))[1]
    assert await guest.break_glass(*envelopes) == (303, f"{PREFIX}/")
    for path in ("/", "/audit", "/operators"):
        status, page = await guest.get(path)
        assert status == 200
        assert "You are logged in with the break-glass account" in page
    _, seen_by_others = await ada.get("/")
    assert "Somebody is logged in with the break-glass account" in seen_by_others
    assert (BREAK_GLASS, "login.break-glass", BREAK_GLASS, "done") in await rig.audited()
    seen = ["overview.view", "audit.view", "operators.view", "overview.view"]  # the last is ada's
    views = [row for row in await rig.audited(outcome="done") if row[1].endswith(".view")]
    assert [row[1] for row in views] == seen
    assert {row[0] for row in views[:-1]} == {BREAK_GLASS}
    status, page = await guest.submit("/", f"/operators/{BREAK_GLASS}/state", state="disabled")
    assert (status, "break-glass account" in page) == (409, True)


@pytest.mark.proves("access")
async def test_disabling_and_a_new_password_end_what_is_open(rig: Rig, ada: Staff) -> None:
    bob = await rig.operator("bob", Role.DESK)
    assert (await ada.submit("/operators", "/operators/bob/state", state="disabled"))[0] == 303
    assert (await bob.get("/"))[0] == 303
    assert (await bob.log_in("bob"))[0] == 401
    assert (await ada.submit("/operators", "/operators/bob/state", state="active"))[0] == 303
    other = {"password": "another long secret", "password_again": "another long secret"}
    assert (await ada.submit("/operators", "/operators/bob/password", **other))[0] == 303
    assert (await bob.log_in("bob"))[0] == 401
    assert (await bob.log_in("bob", "another long secret"))[0] == 303
    assert (await ada.submit("/operators", "/operators/bob/roles", role=["data-protection"]))[0] == 303
    assert (await bob.get("/audit"))[0] == 200


async def test_what_cannot_be_done_to_operators_is_said_and_written_down_as_failed(
    rig: Rig, ada: Staff
) -> None:
    status, page = await ada.submit("/operators", "/operators/ada/state", state="disabled")
    assert (status, "last technician" in page) == (409, True)
    assert (await ada.submit("/operators", "/operators/ada/roles"))[0] == 400
    short = {"name": "bob", "role": "desk", "password": "short", "password_again": "short"}
    assert (await ada.submit("/operators", "/operators", **short))[0] == 400
    failed = [row[1] for row in await rig.audited(outcome="failed")]
    assert failed == ["operators.set-state", "operators.set-roles", "operators.add"]


@pytest.mark.proves("audit")
async def test_the_audit_shows_and_filters(rig: Rig, ada: Staff) -> None:
    bob = await rig.operator("bob", Role.DESK)
    await bob.get("/audit")
    _, page = await ada.get("/audit?actor=bob&outcome=refused")
    assert page.count("<tr class=") == 1
    assert "audit.view" in page.partition("<tbody>")[2]
    assert "1 of 1 rows" in page
    _, page = await ada.get("/audit?actor=%3Cscript%3E&before=x")
    assert "<script>" not in page.partition("<main")[2]
    assert "No row fits" in page
    status, page = await ada.get("/audit?since=yesterday")
    assert (status, "From: write a day" in page) == (400, True)


async def test_what_the_audit_shows_can_be_taken_out_as_a_file_and_that_is_a_row(
    rig: Rig, ada: Staff
) -> None:
    bob = await rig.operator("bob", Role.DESK)
    await bob.get("/audit")
    async with ada.http.get(f"{ada.url}/audit/export?actor=bob&outcome=refused&format=json") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.jsonl"'
        assert answer.headers["Cache-Control"] == "no-store"
        (row,) = map(json.loads, (await answer.text()).splitlines())
    assert (row["actor"], row["action"], row["kind"]) == ("bob", "audit.view", "view")
    async with ada.http.get(f"{ada.url}/audit/export") as answer:
        lines = (await answer.text()).splitlines()
    assert all(line.startswith("<1") for line in lines)
    assert len(lines) == len(await rig.audited()) - 1
    exports = [row for row in await rig.audited(action="audit.export") if row[0] == "ada"]
    assert [row[-1] for row in exports] == ["begun", "done"] * 2
    assert (await bob.get("/audit/export"))[0] == 403
    assert (await ada.get("/audit/export?format=pdf"))[0] == 400


async def test_rows_that_are_gone_are_missed_on_the_page(rig: Rig, ada: Staff) -> None:
    assert "is missing" not in (await ada.get("/audit"))[1]
    await rig.store.write(lambda db: db.execute("DELETE FROM audit WHERE id = 2"))
    assert "A row is missing" in (await ada.get("/audit"))[1]
    await rig.store.write(lambda db: db.execute("DELETE FROM audit WHERE id = 3"))
    assert "2 rows are missing" in (await ada.get("/audit"))[1]


async def test_days_of_the_filter_are_those_of_the_page_in_utc(rig: Rig, ada: Staff) -> None:
    for hour in (-1, 0, 23, 24):
        at_ms = 1_772_323_200_000 + hour * 3_600_000  # 1 March 2026
        await rig.store.write(
            lambda db, hour=hour, at_ms=at_ms: audit.append(db, "ada", "kb.show", f"h{hour}", at_ms=at_ms)
        )
    _, page = await ada.get("/audit?since=2026-03-01&until=2026-03-01")
    assert re.findall(r"<td dir=\"auto\">(h-?\d+)</td>", page) == ["h23", "h0"]


async def test_a_page_that_refreshes_itself_keeps_nobody_logged_in_whatever_it_says_of_itself(
    tmp_path: Path,
) -> None:
    """Every route that is asked by a page, with and without the header of the library that asks."""
    async with console_rig(tmp_path, "\n[console]\nidle_log_off_s = 60\n") as rig:
        ada = rig.visitor()
        await ada.claim(rig.claim_code)
        aged = "UPDATE operator_sessions SET seen_ms = seen_ms - 45000"
        await rig.store.write(lambda db: db.execute(aged))
        for rule in RULES:
            if rule.live:
                for headers in ({}, {"HX-Request": "true"}):
                    assert (await ada.get(concrete(rule.path), **headers))[0] in {200, 404}, rule
        await rig.store.write(lambda db: db.execute(aged))
        assert (await ada.get("/live"))[0] == 303


async def test_a_login_ends_after_its_time_whatever_is_done(rig: Rig, ada: Staff) -> None:
    await rig.store.write(
        lambda db: db.execute("UPDATE operator_sessions SET expires_ms = seen_ms + 36000000")
    )
    assert (await ada.get("/"))[0] == 200
    await rig.store.write(lambda db: db.execute("UPDATE operator_sessions SET expires_ms = seen_ms - 1"))
    assert (await ada.get("/"))[0] == 303
    assert (await ada.post("/logout", {}))[0] == 403


async def test_pages_carry_the_policy_and_are_not_kept(ada: Staff) -> None:
    async with ada.http.get(ada.url + "/") as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        page = await answer.text()
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        async with ada.http.get(ada.url.removesuffix(PREFIX) + address) as answer:
            assert answer.status == 200, address
    async with ada.http.get(ada.url, allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"{PREFIX}/"
    assert (await ada.get("/nothing-here"))[0] == 404


@pytest.mark.proves("audiences")
async def test_only_an_operator_makes_an_audience_staff(rig: Rig, ada: Staff) -> None:
    """Through a route of its own: the sessions' routes ask the same door (tests/integration/test_staff_sessions.py)."""
    found: list[object] = []

    async def audience(request: web.Request) -> web.Response:
        try:
            found.append(await rig.door.audience_of(request))
        except OperatorUnknown as error:
            found.append(error.code)
        return web.Response()

    application = web.Application()
    application.router.add_get("/", audience)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    csrf, token = await ada.csrf("/"), await program_token(rig)
    for headers in ({}, {"X-CSRF-Token": csrf}, {"X-CSRF-Token": csrf, "Origin": "https://evil.example"}):
        await (await ada.http.get(url, headers=headers)).read()
    for bearer in (token, "wrong"):
        await (await rig.visitor().http.get(url, headers={"Authorization": f"Bearer {bearer}"})).read()
    await runner.cleanup()
    public, staff = Audience.PUBLIC, Audience.STAFF
    assert found == [public, staff, public, staff, "operator_unknown"]
    assert [row[0] for row in await rig.audited(action="sessions.staff")] == ["ada", "ada"]


async def test_a_console_that_is_still_loading_makes_one_wait() -> None:
    door = ConsoleDoor()
    waiting = asyncio.create_task(door._opened())
    await asyncio.sleep(0)
    assert not waiting.done()

    class Opened:
        async def serve(self, rule: Rule | None, request: web.Request) -> web.StreamResponse:
            pytest.fail("nobody came in")

        async def staff(self, request: web.Request, token: str) -> bool:
            pytest.fail("nobody came in")

    door.open(opened := Opened())
    assert await waiting is opened


async def test_a_page_whose_role_is_gone_is_left_and_does_not_ask_for_ever(rig: Rig, ada: Staff) -> None:
    bob = await rig.operator("bob", Role.DESK)
    assert (await bob.get("/inbox/live", **{"HX-Request": "true"}))[0] == 200
    assert (await ada.submit("/operators", "/operators/bob/roles", role=["technician"]))[0] == 303
    async with bob.http.get(f"{bob.url}/inbox/live", headers={"HX-Request": "true"}) as answer:
        assert (answer.status, answer.headers["HX-Redirect"]) == (403, f"{PREFIX}/")
