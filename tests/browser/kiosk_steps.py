"""What a customer does at the kiosk page, step by step."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Locator, Page, expect

from tests.browser.chromium import PATIENCE_MS
from tests.browser.scripted_node import Script


async def stop_clock(page: Page) -> None:
    """From here on the page's time stands still until a test moves it: a loaded machine takes seconds to look."""
    await page.clock.install(time=0)
    await page.clock.pause_at(1)


async def open_kiosk(page: Page, url: str) -> None:
    await page.goto(url)
    await page.wait_for_selector("html[data-ready]")


async def begin(page: Page, url: str) -> None:
    """To the question field, past the notice."""
    await open_kiosk(page, url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_role("button", name="I understand").click()
    await expect(question(page)).to_be_focused()


def question(page: Page) -> Locator:
    return page.get_by_label("Your question")


async def ask(page: Page, text: str) -> None:
    await question(page).fill(text)
    await page.keyboard.press("Enter")


async def answered(page: Page, number: int = 1) -> Locator:
    """The answer number `number`, complete."""
    answers = page.get_by_role("article")
    await expect(answers).to_have_count(number)
    return answers.nth(number - 1)


async def hand_over(answer: Locator) -> None:
    """Ask for a person about an answer, and confirm it."""
    await answer.get_by_role("button", name="Ask a member of staff").click()
    await answer.get_by_role("button", name="Yes, give me a number").click()


async def wiped(script: Script) -> str:
    """The one conversation that the node was told to erase: a page sends that behind what it shows."""
    session = await asyncio.wait_for(script.wiped.get(), PATIENCE_MS / 1000)
    assert script.wiped.empty()
    return session


async def page_text(page: Page) -> str:
    """All that the page holds: markup, templates, and the values of fields."""
    text: str = await page.evaluate(
        """() => document.documentElement.outerHTML +
        [...document.querySelectorAll('input, textarea')].map((field) => field.value).join()"""
    )
    return text


async def tab_to(page: Page, name: str, *, back: bool = False, steps_max: int = 40) -> None:
    """Press Tab (Shift+Tab) until the control with this name has the focus, and the focus is seen."""
    for _ in range(steps_max):
        await page.keyboard.press("Shift+Tab" if back else "Tab")
        text = await page.evaluate("document.activeElement.textContent")
        if re.sub(r"\s+", " ", text).strip() == name:
            ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring == "solid"
            return
    raise AssertionError(f"no way to {name!r} by keyboard")
