"""Silence at the kiosk: the node hears that somebody is there, and the page hears when the node has wiped."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.kiosk_steps import begin, page_text, question, stop_clock
from tests.browser.scripted_node import ScriptedNode

CANARY = "zebra-canary-4711"
# As api.js tells it at most.
ALIVE_EVERY_MS = 10_000


async def test_the_node_hears_of_a_person_who_only_types(page: Page, scripted: ScriptedNode) -> None:
    await stop_clock(page)
    await begin(page, scripted.url)
    for text in ("a" * 20, "b"):
        async with page.expect_response("**/alive"):
            await page.keyboard.type(text)
            await page.clock.run_for(ALIVE_EVERY_MS + 1)
    heard = scripted.script.signs_of_life
    assert heard == 2
    await page.clock.run_for(ALIVE_EVERY_MS * 2)
    assert scripted.script.signs_of_life == heard


async def test_more_time_is_told_to_the_node(page: Page, scripted: ScriptedNode) -> None:
    await stop_clock(page)
    await begin(page, scripted.url)
    await page.clock.run_for(46_000)
    await expect(page.get_by_role("alertdialog")).to_be_visible()
    async with page.expect_response("**/alive"):
        await page.get_by_role("button", name="I need more time").click()
    await expect(page.get_by_role("alertdialog")).to_be_hidden()


async def test_a_conversation_that_the_node_has_wiped_leaves_the_screen(
    page: Page, scripted: ScriptedNode
) -> None:
    await stop_clock(page)
    await begin(page, scripted.url)
    await question(page).fill(CANARY)
    scripted.script.alive_fault = "gone"
    await page.clock.run_for(ALIVE_EVERY_MS * 2)
    await page.keyboard.type("x")
    await expect(page.get_by_text("Your last conversation had ended")).to_be_visible()
    assert CANARY not in await page_text(page)
