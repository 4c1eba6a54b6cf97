"""Rollouts in the console: from the wizard to the canary in which one stops itself; two people; alerts."""

from __future__ import annotations

from playwright.async_api import Page, expect

from cloud_sync.app import utc_now
from core.webshell.accounts import Note
from tests.browser.chromium import violations
from tests.browser.scripted_fleet import NAME, Console, nodes_of

GATES = "kept_min_percent=90&failed_max_percent=2&soak_minutes=0"


async def test_a_rollout_stops_itself_before_ones_eyes(page: Page, console: Console) -> None:
    fleet, found = await nodes_of(console, 40), {}
    await console.claim(page)
    await page.get_by_role("link", name="Rollouts").click()
    await expect(page.get_by_text("Nothing was rolled out yet")).to_be_visible()
    found["empty"] = await violations(page)
    await page.get_by_role("main").get_by_role("link", name="New rollout").first.click()
    package = page.get_by_label("Package")
    await package.focus()
    await page.keyboard.type("encoder 2")
    await expect(package).to_have_value("model/encoder/2.0")
    await page.get_by_label("Waves").fill("5 4")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_be_visible()
    await expect(package).to_have_value("model/encoder/2.0")
    await page.get_by_label("Waves").fill("5 20 60 100")
    await page.get_by_label("Pause after a wave").fill("0")
    await page.get_by_label("Groups").fill("default")
    await page.get_by_role("button", name="Dry run").click()
    await expect(page.get_by_text("35 nodes in 4 waves: a canary of 2")).to_be_visible()
    await expect(
        page.get_by_role("region", name="Nodes that would change").locator("tbody tr")
    ).to_have_count(35)
    found["dry run"] = await violations(page)
    await page.get_by_role("button", name="Begin the rollout").click()
    await expect(page.get_by_role("heading", name="encoder 2.0")).to_be_visible()
    await expect(page.get_by_text("Begins at once.")).to_be_visible()
    await fleet.settle()
    await expect(page.get_by_text("Stopped by itself: more nodes failed")).to_be_visible()
    canary = page.get_by_role("listitem").filter(has_text="Canary")
    await expect(canary.get_by_text("Stopped here")).to_be_visible()
    await expect(page.get_by_role("cell", name="Went back")).to_have_count(2)
    await expect(page.get_by_role("cell", name="golden questions right 99")).to_have_count(2)
    assert len(fleet.told("2.0")) == 2
    found["stopped"] = await violations(page)
    for width in (390, 640):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width
    node = next(iter(fleet.told("2.0")))
    await page.goto(f"{console.url}/nodes/{node}")
    await expect(page.get_by_role("region", name="Updates").get_by_text("Went back")).to_be_visible()
    await expect(
        page.get_by_role("region", name="Updates").get_by_text("golden questions right 99")
    ).to_be_visible()
    await page.goto(f"{console.url}/rollouts")
    await expect(page.get_by_role("row", name="encoder 2.0").get_by_text("Stopped itself")).to_be_visible()
    found["list"] = await violations(page)
    assert {state: problems for state, problems in found.items() if problems} == {}


async def test_a_risky_rollout_waits_for_somebody_else(page: Page, console: Console) -> None:
    await nodes_of(console, 10)
    await console.claim(page)
    await console.plane.admins.add("grace", "hash", Note(utc_now(), "test", "account.added"))
    await page.goto(f"{console.url}/rollouts/new?package=model/encoder/1.0&waves=100&{GATES}")
    await expect(page.get_by_text("A second person must approve it.")).to_be_visible()
    await page.get_by_role("button", name="Ask for approval").click()
    await expect(page.get_by_text("another admin must approve it")).to_be_visible()
    await expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    (view,) = (await console.plane.rollouts.list_rollouts()).rollouts
    await console.plane.rollouts.approve(view.id, "grace")
    await expect(page.get_by_text("grace approved it")).to_be_visible()
    await page.get_by_role("button", name="Pause", exact=True).click()
    await expect(page.get_by_text("Paused. Nodes that were told go on.")).to_be_visible()
    await page.get_by_role("button", name="Abort, and take it back").click()
    await expect(page.get_by_text("Aborted. Its nodes go back")).to_be_visible()
    await expect(page.get_by_role("button", name="Resume")).to_have_count(0)


async def test_alerts_are_looked_after_and_silenced(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.put_alerts()
    await console.claim(page)
    await page.get_by_role("link", name="Alerts").click()
    offline = page.get_by_role("row", name="Node is offline")
    await expect(offline.get_by_text("Act", exact=True)).to_be_visible()
    await expect(page.get_by_role("row", name="Disk is nearly full")).to_have_count(0)
    await offline.get_by_role("button", name="Acknowledge").click()
    await expect(offline.get_by_text("Looked after")).to_be_visible()
    await expect(offline).to_contain_text(NAME)
    await page.get_by_role("row", name="Node runs weaker").get_by_role("link", name="Silence").click()
    await page.get_by_label("For how many hours").fill("0")
    await page.get_by_role("button", name="Silence", exact=True).click()
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await violations(page) == []
    await page.get_by_label("For how many hours").fill("8")
    await page.get_by_role("button", name="Silence", exact=True).click()
    await expect(page.get_by_role("row", name="Node runs weaker").get_by_text("silenced")).to_be_visible()
    await page.get_by_role("button", name="End the silence of").click()
    await expect(page.get_by_text("None.")).to_be_visible()
