"""The kiosk page on the lower steps of the ladder: the desk's card, and an answer that is not on record."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from edge.chat.desk_card import DeskCard
from tests.browser.chromium import violations
from tests.browser.kiosk_steps import answered, ask, begin, question, tab_to
from tests.browser.scripted_node import HOURS, Script, ScriptedNode, scripted_node

ENGLISH = DeskCard("en", "ltr", "Weekdays from 9 to 17.", "Please ask at reception.")
ARABIC = DeskCard("ar", "rtl", "من الأحد إلى الخميس، من ٩ إلى ١٧", "اسأل موظفي الاستقبال")
ASKED = "Where do I park?"


def desk(card: DeskCard, *, recorded: bool = True, retry_after_s: float = 1.0) -> dict[str, Any]:
    """A turn that could not be looked up."""
    return {
        "answer": card.text, "route": "handoff", "citations": [], "card": card.body(), "language": card.shown(),
        "retry_after_s": retry_after_s, "recorded": recorded,
    }  # fmt: skip


async def test_the_desks_card_says_so_and_asking_again_is_one_press_by_keyboard(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.turn = desk(ENGLISH)
    await begin(page, scripted.url)
    await ask(page, ASKED)
    card = await answered(page)
    await expect(card).to_contain_text("We cannot look this up right now")
    await expect(card).to_contain_text(
        "Weekdays from 9 to 17.\nPlease ask at reception.", use_inner_text=True
    )
    await expect(card.get_by_role("button", name="Ask a member of staff")).to_be_visible()
    await expect(card.get_by_role("group", name="Was this answer useful?")).to_be_hidden()
    await expect(question(page)).to_have_value(ASKED)
    await expect(question(page)).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("Your question is still in the box.")
    retry = page.get_by_role("button", name="Try again")
    await expect(retry).not_to_have_attribute("aria-disabled", "true")
    scripted.script.turn = dict(HOURS)
    await tab_to(page, "Try again", back=True)
    await page.keyboard.press("Enter")
    await expect(await answered(page, 2)).to_contain_text("09:00 to 13:00")
    assert scripted.script.asked == [ASKED, ASKED]
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_an_unrecorded_answer_says_so_and_offers_nothing_that_needs_a_record(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.turn |= {"recorded": False}
    await begin(page, scripted.url)
    await ask(page, ASKED)
    answer = await answered(page)
    await expect(answer).to_contain_text("This answer is not on record.")
    for name in ("Ask a member of staff", "Useful", "Not useful"):
        await expect(answer.get_by_role("button", name=name, exact=True)).to_be_hidden()
    scripted.script.turn |= {"recorded": True}
    await ask(page, ASKED)
    await expect((await answered(page, 2)).get_by_text("This answer is not on record.")).to_be_hidden()


async def test_a_refusal_says_what_it_is_about(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.fault = "unwritable"
    await begin(page, scripted.url)
    await ask(page, ASKED)
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("This desk cannot keep records at the moment")
    await expect(question(page)).to_have_value(ASKED)


@pytest.mark.parametrize("look", ["light", "dark", "large", "rtl"])
async def test_no_violation_and_nothing_is_cut_off(browser: Browser, look: str) -> None:
    """Also with text of twice the size on a narrow screen, and with writing from the right."""
    script = Script(turn=desk(ARABIC if look == "rtl" else ENGLISH, retry_after_s=60))
    if look == "rtl":
        script.locale = "ar"
    async with scripted_node(script) as node:
        size = (390, 844) if look == "large" else (1080, 1920)
        page = await browser.new_page(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if look == "dark" else "light",
        )
        await begin(page, node.url)
        if look == "large":
            await page.evaluate("document.documentElement.style.fontSize = '200%'")
        await ask(page, ASKED)
        card = await answered(page)
        script.turn = {**HOURS, "recorded": False}
        await ask(page, ASKED)
        await answered(page, 2)
        text = card.locator(".answer-text")
        if look == "rtl":
            await expect(text).to_have_attribute("lang", "ar")
            await expect(text).to_have_attribute("dir", "rtl")
        assert not await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert await violations(page, enhanced_contrast=True) == []
        await page.close()
