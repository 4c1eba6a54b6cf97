"""The page of the privacy policy in Chromium, on a real server and store: by keyboard, in every state that it has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.desk_steps import go
from tests.browser.test_site_console_keys import open_page, press_through, sound
from tests.integration.site_console.rig import Rig, console_rig


@pytest_asyncio.fixture(loop_scope="session")
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with console_rig(tmp_path) as served:
        yield served


async def open_privacy(page: Page, rig: Rig) -> None:
    await open_page(page, rig)
    await go(page, "Policy")


async def test_a_policy_is_tried_and_signed_by_keyboard(page: Page, rig: Rig) -> None:
    await open_privacy(page, rig)
    await expect(page.get_by_role("heading", name="In force: Nothing is handed on")).to_be_visible()
    await page.get_by_role("link", name="public-office").focus()
    await page.keyboard.press("Enter")
    text = page.get_by_label("A text to try")
    await text.focus()
    await page.keyboard.press("Control+a")
    await page.keyboard.type("I am Anna Miller, when are you open?")
    await press_through(page, "Tab", "Enter")
    result = page.get_by_role("heading", name="What would become of the text")
    await expect(result).to_be_focused()  # a screen reader begins with it
    row = page.get_by_role("row", name="lan_llm")
    await expect(row).to_contain_text("I am Anna Miller, when are you open?")
    await expect(page.get_by_role("row", name="ticket")).to_contain_text("Stays here")
    await expect(text).to_have_value("I am Anna Miller, when are you open?")

    await text.focus()
    await press_through(page, "Tab", "Tab", "Tab", "Enter")  # to "Sign", past the tick
    await expect(page.get_by_role("alert")).to_contain_text("was not signed")
    await page.get_by_role("checkbox").focus()
    await press_through(page, "Space", "Tab", "Enter")
    await expect(page.get_by_role("heading", name="In force: Public office")).to_be_visible()
    assert "Miller, when are you open" not in await page.content()


async def test_every_state_is_sound(page: Page, rig: Rig) -> None:
    await open_privacy(page, rig)
    await sound(page)
    await page.goto(f"{rig.url}/console/privacy?pack=bank")
    await page.get_by_label("A text to try").fill("أنا آنا ميلر، متى تفتحون يوم السبت؟ anna@example.org")
    await page.get_by_role("button", name="Try the text").click()
    await expect(page.get_by_role("heading", name="What would become of the text")).to_be_visible()
    await sound(page)
    await page.get_by_role("textbox", name="The policy").fill("nonsense")
    await page.get_by_role("button", name="Try the text").click()
    await expect(page.get_by_role("alert")).to_contain_text("TOML")
    await sound(page)
    rig.paths.policy.unlink()
    rig.paths.policy_key.unlink()
    await page.goto(f"{rig.url}/console/privacy")
    await expect(page.get_by_role("alert")).to_contain_text("No policy is in force")
    await sound(page)
