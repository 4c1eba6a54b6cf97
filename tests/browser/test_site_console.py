"""The site console in Chromium on the real node: logging in, roles, a customer handed over and answered, audit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.desk_steps import NAME, PARTS, PASSWORD, claim, go, log_in, second_page
from tests.browser.kiosk_steps import answered, ask, begin, hand_over
from tests.running import RunningNode, command, copy_site, running

pytestmark = pytest.mark.models
HOSTILE = "<img src=x onerror=alert(1)> [free](javascript:alert(1))"


@pytest.fixture
def fresh(prepared_clinic: Path, tmp_path: Path) -> Iterator[RunningNode]:
    """A node whose console nobody has claimed."""
    with running(copy_site(prepared_clinic, tmp_path)) as node:
        yield node


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def claimed(
    browser: Browser, prepared_clinic: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningNode]:
    """A node whose console NAME has claimed; the tests of this file share it, and leave nobody waiting."""
    with running(copy_site(prepared_clinic, tmp_path_factory.mktemp("claimed"))) as node:
        context = await browser.new_context()
        await claim(await context.new_page(), node)
        await context.close()
        yield node


async def enter(page: Page, node: RunningNode) -> None:
    """As the one who claimed it."""
    await log_in(page, node.url, NAME, PASSWORD)
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


async def test_claim_log_out_and_in_by_keyboard(page: Page, fresh: RunningNode) -> None:
    await claim(page, fresh)
    await expect(page.get_by_role("row", name="Documents")).to_contain_text("passages")
    await page.get_by_role("button", name="Log out").focus()
    await page.keyboard.press("Enter")
    await page.get_by_label("Name").focus()
    for text in (NAME, "not the right one"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("wrong")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


async def test_an_operator_of_one_role_sees_that_roles_pages_only(page: Page, claimed: RunningNode) -> None:
    await enter(page, claimed)
    await go(page, "Operators")
    await page.get_by_label("Name for logging in").fill("officer")
    await page.get_by_label("Front desk: documents").uncheck()
    await page.get_by_label("Data protection: audit").check()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("row", name="officer")).to_contain_text("Data protection")
    async with second_page(page) as other:
        await log_in(other, claimed.url, "officer", PASSWORD)
        await expect(other.get_by_role("heading", name="Overview")).to_be_visible()
        bar = other.get_by_role("navigation", name="Main")
        assert await bar.get_by_role("link").all_inner_texts() == [
            "Overview",
            "Figures",
            "Data protection",
            "API keys",
            "Operators",
        ]
        await expect(other.get_by_role("button", name="Add", exact=True)).to_have_count(0)
        await other.goto(f"{claimed.url}/console/inbox")
        await expect(other.get_by_role("heading", name="Your roles do not include this")).to_be_visible()
        await go(other, "Audit")
        refused = other.get_by_role("row", name="inbox.view")
        await expect(refused).to_contain_text("refused")
        await expect(refused).to_contain_text("officer")


async def test_a_customer_is_handed_over_answered_and_the_matter_closed(
    page: Page, claimed: RunningNode
) -> None:
    await enter(page, claimed)
    await go(page, "Inbox")
    await expect(page.get_by_role("heading", name="Nobody is waiting")).to_be_visible()
    async with second_page(page) as kiosk:
        await begin(kiosk, claimed.url)
        await ask(kiosk, "Which acupuncture needles does the astronaut prefer?")
        await hand_over(await answered(kiosk))
        row = page.get_by_role("row", name="Waiting")
        await expect(row).to_contain_text("at the screen")
        await expect(page.get_by_text("1 waiting in the inbox")).to_be_attached()
        await row.get_by_role("link").click()
        log = page.get_by_role("log")
        await expect(log).to_contain_text("Which acupuncture needles")
        await page.get_by_role("button", name="Take it").click()
        await expect(page.get_by_text("With staff")).to_be_visible()
        await expect(kiosk.locator(".ticket .state")).to_contain_text(NAME)
        await page.get_by_label("Your message").fill(f"Come to room 4. {HOSTILE}")
        await page.get_by_role("button", name="Send").click()
        await expect(kiosk.locator(".staff")).to_contain_text("Come to room 4.")
        await expect(kiosk.locator(".staff")).to_contain_text("<img src=x")
        await kiosk.get_by_label(f"Your message to {NAME}").fill("I am on my way.")
        await kiosk.get_by_role("button", name="Send", exact=True).click()
        await expect(log).to_contain_text("I am on my way.")
        assert await log.locator("img, a").count() == 0
        assert await violations(page) == []
        await page.get_by_role("button", name="Close: it is settled").click()
        await expect(page.get_by_text("Closed").first).to_be_visible()
        await expect(kiosk.locator(".with")).to_contain_text("You are talking to the AI again")
    await go(page, "Audit")
    for action in ("inbox.show", "inbox.take", "inbox.reply", "inbox.close"):
        await expect(page.get_by_role("row", name=action).first).to_contain_text(NAME)
    assert "acupuncture" not in await page.content()


async def test_the_emergency_account_is_seen_on_every_page(page: Page, claimed: RunningNode) -> None:
    await enter(page, claimed)
    sealed = await command("operators", "break-glass", "--site", str(claimed.site), "--json")
    async with second_page(page) as other:
        await other.goto(f"{claimed.url}/console/login")
        await other.get_by_role("link", name="Emergency: nobody can log in").press("Enter")
        await expect(other.get_by_role("heading", name="Emergency")).to_be_visible()
        assert await violations(other) == []
        for envelope, half in zip(("Envelope 1", "Envelope 2"), sealed["envelopes"], strict=True):
            await other.get_by_label(envelope, exact=True).focus()
            await other.keyboard.type(half.lower())
        await other.keyboard.press("Enter")
        await other.get_by_role("heading", name="Overview").wait_for()
        for label in ("Audit", "Documents", "Overview"):
            await go(other, label)
            strip = other.get_by_text("You are logged in with the break-glass account")
            await expect(strip).to_be_visible()
            await strip.click(trial=True)  # nothing lies over it
        assert await violations(other) == []
    await go(page, "Overview")
    await expect(page.get_by_role("row", name="Emergency account")).to_be_visible()


async def test_a_reply_to_a_ticket_that_is_over_is_kept_and_said(page: Page, claimed: RunningNode) -> None:
    await enter(page, claimed)
    async with second_page(page) as kiosk:
        await begin(kiosk, claimed.url)
        await ask(kiosk, "Which acupuncture needles does the astronaut prefer?")
        await hand_over(await answered(kiosk))
        await page.goto(f"{claimed.url}/console/inbox")
        await page.get_by_role("row", name="Waiting").get_by_role("link").click()
        await page.get_by_label("Your message").fill("Half a reply")
        await kiosk.get_by_role("button", name="Take it back").click()
        await expect(page.get_by_text("Withdrawn")).to_be_visible()
        await expect(page.get_by_label("Your message")).to_have_value("Half a reply")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_role("alert")).to_contain_text("no longer open")
        await expect(page.get_by_label("What you wrote; it was not sent")).to_have_value("Half a reply")


@pytest.mark.parametrize(
    "look",
    ["light", pytest.param("dark", marks=pytest.mark.long), pytest.param("more", marks=pytest.mark.long)],
)
async def test_no_violation_and_no_sideways_scrolling(
    browser: Browser, claimed: RunningNode, look: str
) -> None:
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="dark" if look == "dark" else "light",
        contrast="more" if look == "more" else "no-preference",
    )  # fmt: skip
    page, found = await context.new_page(), {}
    await enter(page, claimed)
    labels = await page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts()
    for label in (*(label for label in labels if label != "Data protection"), *PARTS):
        await go(page, label)
        if problems := await violations(page):
            found[label] = problems
        for width in (320, 640, 1280):
            await page.set_viewport_size({"width": width, "height": 800})
            if await page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
                found[f"{label} at {width}"] = [{"id": "scrolls sideways"}]
    await context.close()
    assert found == {}
