"""One Chromium for the whole tier (so all of it runs in one event loop); a fresh profile, a fresh node, a fresh console
a test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.chromium import PATIENCE_MS, chromium
from tests.browser.scripted_fleet import Console, scripted_console
from tests.browser.scripted_node import Script, ScriptedNode, scripted_node

expect.set_options(timeout=PATIENCE_MS)
# A refused request is logged by Chromium and htmx themselves; anything else on the console is a fault of ours, such as
# a broken content security policy.
_EXPECTED_ON_CONSOLE = ("Failed to load resource", "htmx: htmx:error: Failed to fetch")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here share the browser's event loop."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and isinstance(item, pytest.Function):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE_MS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext) -> AsyncIterator[Page]:
    """A page on which any script error or policy violation fails the test."""
    page, faults = await context.new_page(), []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_EXPECTED_ON_CONSOLE):
            faults.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    assert not faults, json.dumps(faults, indent=1)


@pytest_asyncio.fixture(loop_scope="session")
async def scripted() -> AsyncIterator[ScriptedNode]:
    async with scripted_node(Script()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def console(tmp_path: Path) -> AsyncIterator[Console]:
    async with scripted_console(tmp_path / "cloud") as running:
        yield running
