"""The page of API keys in Chromium, on a real server and store: by keyboard, in every state that it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.chromium import violations
from tests.browser.desk_steps import go
from tests.integration.site_console.rig import PASSWORD, Rig, console_rig

WIDTHS = (320, 640, 1280)


@pytest_asyncio.fixture(loop_scope="session")
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with console_rig(tmp_path) as served:
        yield served


async def open_page(page: Page, rig: Rig) -> None:
    """As the first operator."""
    await page.goto(f"{rig.url}/console/")
    await page.get_by_label("Claim code").fill(rig.claim_code)
    await page.get_by_label("Your name").fill("mira")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Claim").click()
    await go(page, "API keys")


async def press_through(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def make(page: Page, name: str) -> None:
    """A key for vectors, by keyboard."""
    await page.get_by_role("textbox", name="Program").focus()
    await page.keyboard.type(name)
    await page.keyboard.press("Enter")


async def sound(page: Page) -> None:
    """Nothing that axe finds, and nothing to scroll sideways, in large text and from right to left, too."""
    assert await violations(page) == []
    for change in (
        "",
        "document.documentElement.dir = 'rtl'",
        "document.documentElement.style.fontSize = '200%'",
    ):
        await page.evaluate(change)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
            assert not wide, (change, width)


async def test_a_key_is_made_shown_once_and_revoked_by_keyboard(page: Page, rig: Rig) -> None:
    await open_page(page, rig)
    await expect(page.get_by_text("No program has a key.")).to_be_visible()
    await make(page, "website")
    shown = page.get_by_label("The new key", exact=True)
    await expect(shown).to_contain_text("pstn_")
    await expect(shown).to_be_focused()  # a screen reader begins with it
    await page.goto(f"{rig.url}/console/api-keys")
    assert "pstn_" not in await page.content()
    row = page.get_by_role("row", name="website")
    await expect(row).to_contain_text("6,000")
    await expect(row).to_contain_text("never")

    await row.locator("summary").focus()
    # Open; past the tick, to the button: refused without it, and the browser goes back to the tick.
    await press_through(page, "Enter", "Tab", "Tab", "Enter")
    await expect(row.get_by_role("checkbox")).to_be_focused()
    await press_through(page, "Space", "Tab", "Enter")
    await expect(page.get_by_text("No program has a key.")).to_be_visible()
    await page.locator("summary", has_text="Revoked keys").click()
    await expect(page.get_by_role("row", name="website")).to_be_visible()


async def test_every_state_is_sound(page: Page, rig: Rig) -> None:
    await open_page(page, rig)
    await sound(page)
    await page.reload()
    await page.get_by_label("Chat: questions").check()
    await make(page, "a-program-with-a-rather-long-name_of-48-characte")
    await expect(page.get_by_text("must see this")).to_be_visible()
    await sound(page)
    await page.goto(f"{rig.url}/console/api-keys")
    await make(page, "a-program-with-a-rather-long-name_of-48-characte")
    await expect(page.get_by_role("alert")).to_contain_text("already")
    await page.locator("summary", has_text="Revoke").click()
    await sound(page)
