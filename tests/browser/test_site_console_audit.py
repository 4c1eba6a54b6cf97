"""The audit page in Chromium, on a real server and store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.desk_steps import go
from tests.browser.test_site_console_keys import open_page
from tests.integration.site_console.rig import Rig, console_rig

SMALL_PX = 360
"""A telephone, in CSS pixels: with letters of twice the size a field of 11 rem is wider than what it stands in."""


@pytest_asyncio.fixture(loop_scope="session")
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with console_rig(tmp_path, "\n[retention]\naudit_days = 3000\n") as served:
        yield served


async def test_the_page_fits_a_telephone_in_large_letters_and_says_how_long_rows_stay(
    page: Page, rig: Rig
) -> None:
    await open_page(page, rig)
    await go(page, "Audit")
    await expect(page.get_by_text("Kept for 3000 days.")).to_be_visible()
    await page.set_viewport_size({"width": SMALL_PX, "height": 800})
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await page.evaluate("document.documentElement.scrollWidth") <= SMALL_PX
