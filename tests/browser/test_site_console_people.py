"""The data-protection officer's pages in Chromium, on a real server and store: by keyboard, in every state."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from edge.store.operators import Role
from tests.browser.chromium import violations
from tests.browser.desk_steps import go, log_in
from tests.browser.test_site_console_keys import press_through, sound
from tests.integration.site_console.rig import PASSWORD, Rig, console_rig
from tests.unit.edge.privacy.people_rig import seed

SUBJECT, HELD = "patient-0815", "patient-0816"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """With a data-protection officer, and two people."""
    async with console_rig(tmp_path_factory.mktemp("people")) as served:
        await served.operator("olga", Role.DATA_PROTECTION)
        await seed(served.store, SUBJECT, "conversation-1", "وين الحمار الوحشي؟", locale="ar")
        await seed(served.store, HELD, "conversation-2")
        yield served


async def open_people(page: Page, rig: Rig) -> None:
    await log_in(page, rig.url, "olga", PASSWORD)
    await go(page, "People")


async def find(page: Page, text: str) -> None:
    """From the page of people, by keyboard."""
    await page.get_by_label("Who is meant").focus()
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r"/people/[\w-]+$"))


async def download(page: Page, button: str) -> tuple[str, str]:
    """Name and text of the file that a button gives, pressed by keyboard."""
    async with page.expect_download() as expected:
        await page.get_by_role("button", name=button).press("Enter")
    file = await expected.value
    return file.suggested_filename, Path(await file.path()).read_text(encoding="utf-8")


async def test_a_person_is_found_given_their_data_and_erased_by_keyboard(page: Page, rig: Rig) -> None:
    await open_people(page, rig)
    await find(page, SUBJECT)
    assert SUBJECT not in page.url + await page.title()  # what a history keeps
    await expect(page.get_by_role("heading", name=SUBJECT, level=1)).to_be_visible()
    await expect(page.get_by_role("row", name="Questions and answers")).to_contain_text("1")

    name, text = await download(page, "A file for programs")
    assert (name, json.loads(text)["request"]["subject"]) == ("postern-export.json", SUBJECT)
    name, text = await download(page, "A page to read or print")
    assert name == "postern-export.html"
    await _reads_well(page, text)

    await page.get_by_role("button", name="Erase", exact=True).focus()
    await page.keyboard.press("Enter")  # without the tick: the browser goes back to it
    tick = page.get_by_label("I know that there is no way back")
    await expect(tick).to_be_focused()
    await press_through(page, "Space", "Tab", "Enter")
    await expect(page.get_by_text("Nothing is stored any more")).to_be_visible()
    _, text = await download(page, "Download the receipt")
    assert json.loads(text)["signature"]
    await page.go_back()
    await page.go_back()
    assert SUBJECT not in page.url


async def _reads_well(page: Page, text: str) -> None:
    """The page of an export, opened from its file: without a server, a script or a fault."""
    assert page.context.browser is not None
    context = await page.context.browser.new_context(viewport={"width": 1280, "height": 800})
    opened = await context.new_page()
    await opened.set_content(text)
    await sound(opened)
    words = opened.get_by_text("الحمار الوحشي").first
    assert await words.evaluate("(one) => getComputedStyle(one).direction") == "rtl"
    assert await words.get_attribute("lang") == "ar"
    await opened.emulate_media(media="print", color_scheme="dark")
    assert await violations(opened) == []
    await context.close()


@pytest.mark.long
async def test_every_state_of_a_person_is_sound(page: Page, rig: Rig) -> None:
    await open_people(page, rig)
    await find(page, "nobody-of-that-name-with-a-rather-long-name-for-somebody-nobody")
    await expect(page.get_by_text("Nothing is stored under this name")).to_be_visible()
    await sound(page)
    await go(page, "People")
    await find(page, HELD)
    person = page.url
    await page.get_by_label("Case").fill("4 C 17/26")
    await page.keyboard.press("Enter")
    await page.get_by_label("I know that").check()
    await page.get_by_role("button", name="Erase", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("has it released")
    await expect(page.get_by_text("an erasure waits for the release")).to_be_visible()
    await sound(page)
    await go(page, "People")
    await expect(page.get_by_role("row", name=HELD)).to_contain_text("waits for the release")
    await sound(page)
    await page.get_by_role("button", name=f"Open {HELD}").click()
    await page.get_by_label("The case is over").check()
    await page.get_by_role("button", name="Release").click()
    await expect(page.get_by_text("Nothing is stored any more")).to_be_visible()
    await sound(page)
    await page.context.clear_cookies()
    await page.goto(person)
    await expect(page.get_by_role("heading", name="Log in")).to_be_visible()


async def test_retention_keys_and_backups_are_sound(page: Page, rig: Rig) -> None:
    await open_people(page, rig)
    for part, words in (
        ("Retention", "Overdue since"),
        ("Keys", "If it is lost"),
        ("Backups", "No backup is known"),
    ):
        await page.set_viewport_size({"width": 1280, "height": 800})
        await go(page, part)
        await expect(page.get_by_text(words).first).to_be_visible()
        here = page.get_by_role("group", name="Data protection").get_by_role("link", name=part)
        await expect(here).to_have_attribute("aria-current", "page")
    await sound(page)
    await page.emulate_media(forced_colors="active")
    edges = "(one) => getComputedStyle(one).borderBlockEndColor"
    here, elsewhere = (
        page.get_by_role("link", name="Backups"),
        page.get_by_role("link", name="Policy"),
    )
    assert await here.evaluate(edges) != await elsewhere.evaluate(edges)  # where one is can be seen
