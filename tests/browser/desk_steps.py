"""What the staff do at the site console, step by step, on the real node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.chromium import PATIENCE_MS
from tests.running import RunningNode

NAME, PASSWORD = "mira", "a gate in a long wall"
PARTS = ("People", "Retention", "Keys", "Backups", "Policy", "Audit", "Reports")
"""Of the page "Data protection"."""
# The code is written just after the node serves; a loaded machine takes a moment.
CLAIM_PATIENCE_S = 30.0


async def claim_code(site: Path) -> str:
    """The code of this start, once it is there."""
    file = site / "claim-code"
    async with asyncio.timeout(CLAIM_PATIENCE_S):
        while not file.exists():
            await asyncio.sleep(0.05)
    return file.read_text().strip()


async def claim(page: Page, node: RunningNode) -> None:
    """Become the first operator, through the page."""
    code = await claim_code(node.site)
    await page.goto(f"{node.url}/console/")
    await page.get_by_label("Claim code").fill(code)
    await page.get_by_label("Your name").fill(NAME)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Claim").click()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


async def log_in(page: Page, url: str, name: str, password: str) -> None:
    await page.goto(f"{url}/console/login")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Log in").click()


async def go(page: Page, label: str) -> None:
    """To a page of the bar, or to a part of one."""
    bar = page.get_by_role("navigation", name="Main")
    if label in PARTS:
        await bar.get_by_role("link", name="Data protection").click()
    await bar.get_by_role("link", name=label, exact=label in PARTS).click()
    await expect(page.get_by_role("heading", name=label, level=1)).to_be_visible()


@asynccontextmanager
async def second_page(page: Page) -> AsyncIterator[Page]:
    """Another visitor of the same browser, with cookies of their own."""
    assert page.context.browser is not None
    context = await page.context.browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(PATIENCE_MS)
    yield await context.new_page()
    await context.close()
