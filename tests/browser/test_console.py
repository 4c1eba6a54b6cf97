"""The control plane's console in Chromium: claim, login, fleet, node, codes. Real store, login and templates."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.scripted_fleet import (
    LATE,
    LATE_NODE,
    LIVE_NODE,
    NAME,
    NODES,
    OFFLINE_NODE,
    PASSWORD,
    Console,
    many_nodes,
)

HOSTILE = "<img src=x onerror=alert(1)>{{7*7}}"


async def test_claim_login_and_out_by_keyboard(page: Page, console: Console) -> None:
    await page.goto(console.url)
    await page.get_by_role("link", name="Claim it").or_(page.get_by_label("Claim code")).first.wait_for()
    await page.goto(f"{console.url}/claim")
    await page.get_by_label("Claim code").focus()
    for text in (console.claim_code, NAME, PASSWORD, PASSWORD):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    await page.get_by_role("button", name="Log out").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    await page.get_by_label("Name").fill(NAME)
    await page.get_by_label("Password").fill("not the right one")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(page.get_by_label("Name")).to_have_value(NAME)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Fleet")).to_be_visible()


async def test_an_empty_fleet_says_how_to_begin(page: Page, console: Console) -> None:
    await console.claim(page)
    await expect(page.get_by_text("postern enroll --site DIR --cloud HOST:PORT --code CODE")).to_be_visible()
    await page.get_by_role("link", name="Make an enrolment code").click()
    await page.get_by_label("Site").fill("Harbour Street Clinic")
    await page.keyboard.press("Enter")
    fresh = page.get_by_role("region", name="The code for Harbour Street Clinic")
    code = await fresh.locator(".code").inner_text()
    await expect(fresh).to_contain_text(f"--cloud cloud.example:8092 --code {code}")
    await page.goto(f"{console.url}/codes")
    assert code not in await page.content(), "a code is shown once"
    await expect(page.get_by_role("cell", name="Open")).to_be_visible()


async def test_rows_stay_live_and_the_focus_stays(page: Page, console: Console) -> None:
    await console.claim(page)
    await console.put_all_states()  # only now: what is live is late half a minute later
    row = page.get_by_role("row", name="Front desk")
    await expect(row.get_by_text("Live")).to_be_visible()
    link = page.get_by_role("link", name="Front desk")
    await link.focus()
    await link.evaluate("e => { window.focused = e; }")
    await console.put(OFFLINE_NODE, replace(LIVE_NODE, ago=LATE, turns=1300), LATE_NODE)
    await expect(row.get_by_text("Late")).to_be_visible()
    await expect(row.get_by_text("1,300")).to_be_visible()
    assert await link.evaluate("e => e === window.focused && document.activeElement === e")


async def test_updates_pause_and_a_silent_server_is_said(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.claim(page)
    await page.get_by_role("button", name="Pause updates").click()
    await expect(page.get_by_text("Paused. These are the figures of")).to_be_visible()
    await console.put(LIVE_NODE)
    await page.get_by_role("button", name="Pause updates").click()
    await expect(page.get_by_role("row", name="Ward 3 kiosk")).to_have_count(0)
    await page.context.set_offline(True)
    await expect(page.get_by_text("This control plane does not answer.")).to_be_visible()
    await expect(page.get_by_role("row", name="Front desk")).to_be_visible()
    await page.context.set_offline(False)
    await expect(page.get_by_text("This control plane does not answer.")).to_have_count(0)


async def test_an_ended_session_leads_to_the_login(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.claim(page)
    await page.context.clear_cookies()
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_state_is_more_than_colour(page: Page, console: Console) -> None:
    await console.claim(page)
    await console.put_all_states()  # only now: what is live is late half a minute later
    await expect(page.locator(".state").first).to_be_visible()
    shapes = await page.locator(".state path").evaluate_all(
        "all => all.map((path) => path.getAttribute('d'))"
    )
    words = await page.locator(".state").all_inner_texts()
    assert len(set(shapes)) == len(set(words)) == len(NODES)
    await expect(page.get_by_text("Weaker than asked: encoder: CUDA asked, CPU serves")).to_be_visible()
    await expect(page.get_by_text("Settings rejected")).to_be_visible()


async def test_what_a_node_says_stays_text(page: Page, console: Console) -> None:
    row = replace(LIVE_NODE.row, name=HOSTILE, site=HOSTILE, fallbacks=(HOSTILE,), labels={HOSTILE: HOSTILE})
    await console.put(replace(LIVE_NODE, row=row))
    await console.claim(page)
    await expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    await page.goto(f"{console.url}/nodes/{LIVE_NODE.id}")
    await expect(page.get_by_role("heading", name=HOSTILE, exact=True)).to_be_visible()
    assert await page.locator("img").count() == 0


async def test_a_large_fleet_is_paged_sorted_and_filtered_by_address(page: Page, console: Console) -> None:
    await console.put(*many_nodes(1000), OFFLINE_NODE)
    await console.claim(page)
    rows = page.locator("#nodes tr")
    await expect(rows).to_have_count(50)
    await expect(rows.first).to_contain_text("Ward 3 kiosk")
    await page.get_by_role("link", name="Waiting to send").click()
    await page.get_by_role("link", name="Waiting to send").click()
    await expect(page.get_by_role("columnheader", name="Waiting to send")).to_have_attribute(
        "aria-sort", "descending"
    )
    await expect(rows.first).to_contain_text("Desk 0999")
    await page.get_by_role("link", name="Next").click()
    await expect(page.get_by_text("Page 2 of 21")).to_be_visible()
    await expect(rows.first).to_contain_text("Desk 0949")
    address = page.url
    async with page.expect_response(lambda answer: "/fleet/rows?sort=-waiting&page=2" in answer.url):
        pass  # the live part asks for the same page
    await page.get_by_label("Group").select_option("canary")
    await page.get_by_label("Label").fill("region=south")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("5 nodes that fit, 1,001 in the fleet")).to_be_visible()
    await expect(page.get_by_role("link", name="Change the settings of the group canary")).to_be_visible()
    await page.get_by_role("link", name="0 offline").click()
    await expect(page.get_by_text("No node fits.")).to_be_visible()
    await expect(page.get_by_label("State")).to_have_value("offline")
    await page.goto(address)
    await expect(rows.first).to_contain_text("Desk 0949")
    await page.goto(f"{console.url}/?page=99999")
    await expect(page.get_by_text("Page 21 of 21")).to_be_visible()


async def test_audit_is_searched_and_taken_out(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.claim(page)
    await page.get_by_role("link", name="Audit").click()
    await page.get_by_label("What", exact=True).select_option("desired")
    await page.get_by_label("Who").fill(NAME)
    await page.keyboard.press("Enter")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Of what, or detail").fill("WARDS")
    await page.keyboard.press("Enter")
    await expect(rows).to_have_count(1)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="JSON, a row a line").click()
    lines = (await (await download.value).path()).read_text().splitlines()
    assert [json.loads(line)["subject"] for line in lines] == ["group:wards"]
    await page.goto(f"{console.url}/audit?action=audit.exported")
    await expect(rows).to_have_count(1)


async def test_revoking_needs_the_id(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.claim(page)
    await page.get_by_role("link", name="Front desk").click()
    await page.get_by_label("Type the node’s id to confirm").fill("something else")
    await page.get_by_role("button", name="Revoke Front desk").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await violations(page) == []


async def test_everything_works_without_scripts(browser: Browser, console: Console) -> None:
    await console.put_all_states()
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await console.claim(page)
    await page.get_by_role("link", name="Reception").click()
    await expect(page.get_by_text("Generation 1 is on its way")).to_be_visible()
    await expect(page.get_by_role("button", name="Pause updates")).to_have_count(0)
    await page.get_by_role("link", name="Change this node’s settings").click()
    await page.get_by_label("Heartbeat (seconds)").fill("30")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Generation 3 is on its way")).to_be_visible()
    await context.close()


# Where the text of a row's heading and of what stands under it begins, as a reader in that direction sees it.
BEGINS = """() => [...document.querySelectorAll('tbody th .under')].map((under) => {
  const rtl = document.documentElement.dir === 'rtl', range = document.createRange();
  return [under.closest('th').querySelector('a') ?? under.closest('th').firstChild, under].map((one) => {
    range.selectNodeContents(one);
    const box = range.getBoundingClientRect();
    return Math.round(rtl ? box.right : box.left);
  });
})"""


async def test_names_stand_under_their_headings_from_either_side(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.put_alerts()
    await console.claim(page)
    for path in ("/", "/alerts", f"/nodes/{LATE_NODE.id}"):
        await page.goto(f"{console.url}{path}")
        for direction in ("ltr", "rtl"):
            await page.evaluate(f"document.documentElement.dir = '{direction}'")
            found = await page.evaluate(BEGINS)
            assert found
            assert all(heading == under for heading, under in found), (path, direction, found)
    await page.goto(f"{console.url}/")
    await page.evaluate("document.documentElement.dir = 'rtl'")
    heard = page.get_by_role("row", name="Ward 3 kiosk").get_by_text("26 h ago")
    assert (
        await heard.evaluate("(cell) => getComputedStyle(cell).unicodeBidi") == "plaintext"
    )  # not "h ago 26"


@pytest.mark.parametrize(
    "look",
    ["light", pytest.param("dark", marks=pytest.mark.long), pytest.param("more", marks=pytest.mark.long)],
)
async def test_no_violation_on_any_page(browser: Browser, console: Console, look: str) -> None:
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="dark" if look == "dark" else "light",
        contrast="more" if look == "more" else "no-preference",
    )  # fmt: skip
    page, found = await context.new_page(), {}

    async def check(state: str) -> None:
        if problems := await violations(page):
            found[state] = problems
        for width in (390, 640, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            if await page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                found[f"{state} at {width}"] = [{"id": "scrolls sideways"}]

    await page.goto(f"{console.url}/login")
    await check("login")
    await page.goto(f"{console.url}/claim")
    await check("claim")
    await console.claim(page)
    await check("empty fleet")
    await console.put_all_states()
    await page.get_by_role("row", name="Front desk").wait_for()
    await check("fleet")
    await page.goto(f"{console.url}/?text=nobody&sort=-seen")
    await check("fleet, nobody")
    await page.goto(f"{console.url}/audit")
    await check("audit")
    for node in NODES:
        await page.goto(f"{console.url}/nodes/{node.id}")
        await check(f"node {node.row.name}")
    await page.goto(f"{console.url}/codes")
    await page.get_by_label("Site").fill("Harbour Street Clinic")
    await page.keyboard.press("Enter")
    await page.locator(".code").wait_for()
    await check("codes")
    await page.goto(f"{console.url}/desired?group=default")
    await check("settings of a group")
    await page.goto(f"{console.url}/rollouts/new")
    await check("wizard, nothing published")
    await page.goto(f"{console.url}/overflow")
    await check("overflow")
    await page.goto(f"{console.url}/nowhere")
    await check("error")
    await context.close()
    assert found == {}
