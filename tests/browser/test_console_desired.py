"""What is wanted of a node, in the console: by keyboard, and against another admin."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.chromium import violations
from tests.browser.scripted_fleet import LIVE_NODE, Console

LOOKS = (
    "document.documentElement.dir = 'ltr'",
    "document.documentElement.dir = 'rtl'",
    "document.documentElement.style.fontSize = '200%'",
)


async def sound(page: Page) -> None:
    """Nothing that axe finds, and nothing to scroll sideways, from right to left and in large text, too."""
    assert await violations(page) == []
    for look in LOOKS:
        await page.evaluate(look)
        for width in (320, 640, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            assert not wide, (look, width)


async def test_two_admins_change_the_same_settings(page: Page, console: Console) -> None:
    await console.put_all_states()
    await console.claim(page)
    await page.get_by_role("link", name="Front desk").click()
    await page.get_by_role("link", name="Change this node’s settings").click()
    await expect(page.get_by_text("the fields begin with its group’s")).to_be_visible()
    heartbeat = page.get_by_label("Heartbeat (seconds)")
    await heartbeat.fill("4")
    await heartbeat.press("Enter")
    alert = page.get_by_role("alert")
    await expect(alert).to_be_focused()  # a screen reader begins with it
    await page.keyboard.press("Tab")
    await expect(alert.get_by_role("link", name="Heartbeat (seconds)")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(heartbeat).to_be_focused()
    await heartbeat.fill("30")
    await page.get_by_label("Notes").fill("لا تغلق يوم الأحد")
    await console.plane.steering.set_for_node(LIVE_NODE.id, b'{"heartbeat_s":60}', "grace")
    await heartbeat.press("Enter")
    await expect(alert).to_contain_text("Somebody else changed these settings")
    await expect(page.get_by_role("region", name="Last changes")).to_contain_text("grace")
    await expect(page.get_by_role("row", name="Heartbeat (seconds) 60 30 no")).to_be_visible()
    await expect(heartbeat).to_have_value("30")
    await sound(page)
    await page.get_by_role("button", name="Save, and replace what is there").click()
    await expect(page.get_by_role("row", name="notes")).to_contain_text("لا تغلق يوم الأحد")
    await page.get_by_role("link", name="Change this node’s settings").click()
    await page.get_by_role("button", name="Take them back").click()
    await page.get_by_role("link", name="Change those of its group").click()
    await expect(page.get_by_role("heading", name="Settings of the group default")).to_be_visible()
    await sound(page)
