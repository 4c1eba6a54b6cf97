"""Debian's Chromium under Playwright, and axe-core's rules on a page."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
# Nothing here may look for the internet.
ARGUMENTS = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# What a page may take on a loaded machine; a condition that is not met by then is not met, ms.
PATIENCE_MS = 30_000
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Colours halfway through a transition are nobody's to read: under load axe would judge those.
RULES = """async (options) => {
  const running = document.getAnimations().filter((one) => one instanceof CSSTransition);
  await Promise.allSettled(running.map((one) => one.finished));
  const found = await axe.run(document, options);
  return found.violations.map((rule) => ({ id: rule.id, help: rule.help,
    where: rule.nodes.map((node) => node.target.join(' ') + ': ' + node.failureSummary) }));
}"""


# The same engine without windows comes first: those, which nobody sees, take twice the processor's time of the pages.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")


def executable() -> str:
    """The browser's path. Raises RuntimeError with what to do when there is none."""
    for found in (os.environ.get("POSTERN_CHROMIUM"), *map(shutil.which, PROGRAMS)):
        if found:
            return found
    raise RuntimeError(
        "Chromium is missing: apt-get install chromium-headless-shell, or set POSTERN_CHROMIUM to its path"
    )


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


async def violations(page: Page, *, enhanced_contrast: bool = False) -> list[dict[str, Any]]:
    """What axe-core finds against WCAG 2.2 AA, and with `enhanced_contrast` against AAA's 7:1 for text."""
    # Through the debugger: the page's content security policy rightly forbids a script that is not its own.
    await page.evaluate(AXE.read_text())
    rules = {"color-contrast-enhanced": {"enabled": enhanced_contrast}}
    found: list[dict[str, Any]] = await page.evaluate(
        RULES, {"runOnly": {"type": "tag", "values": [*WCAG]}, "rules": rules}
    )
    return found
