"""A safety card on the kiosk page: seen and heard at once, no answer among answers, and text whatever it holds."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from edge.chat.safety.card import Phones, SafetyCard, cards_of
from edge.chat.safety.kind import Kind
from tests.browser.chromium import violations
from tests.browser.kiosk_steps import answered, ask, begin, hand_over
from tests.browser.scripted_node import Script, ScriptedNode, scripted_node

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\"> [call](javascript:alert(1)) https://elsewhere.example/"
)


def turn(card: SafetyCard) -> dict[str, Any]:
    """The node's answer with `card`."""
    return {"answer": card.answer, "route": card.route, "citations": [], "card": card.body()}


def emergency(language: str = "en") -> SafetyCard:
    return cards_of(language, Phones("999"))[Kind.EMERGENCY]


async def test_a_card_takes_the_focus_and_says_what_to_do(page: Page, scripted: ScriptedNode) -> None:
    card = emergency("de")
    scripted.script.turn = turn(card)
    await begin(page, scripted.url)
    await ask(page, "mein vater hat schmerzen in der brust")
    answer = await answered(page)
    alert = answer.get_by_role("alert")
    await expect(alert).to_be_focused()
    await expect(alert).to_have_attribute("lang", "de")
    await expect(alert.get_by_role("heading", name=card.title)).to_be_visible()
    await expect(alert.locator("li")).to_have_text(list(card.steps))
    await expect(alert.get_by_text("999", exact=True)).to_be_visible()
    await expect(answer.get_by_role("button", name="Useful", exact=True)).to_be_hidden()
    await hand_over(answer)
    await expect(page.locator(".has-number")).to_be_visible()


async def test_a_card_without_a_number_shows_none(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.turn = turn(cards_of("en", Phones("999"))[Kind.LOST_CARD])
    await begin(page, scripted.url)
    await ask(page, "I lost my card")
    await expect((await answered(page)).get_by_role("alert")).to_be_focused()
    await expect(page.locator(".card .call")).to_be_hidden()


async def test_what_a_card_says_is_text(page: Page, scripted: ScriptedNode) -> None:
    card = SafetyCard(Kind.SITE, "en", HOSTILE, HOSTILE, (HOSTILE,), HOSTILE)
    scripted.script.turn = turn(card)
    await begin(page, scripted.url)
    await ask(page, "infusion pump alarm")
    answer = await answered(page)
    await expect(answer.locator("li")).to_have_text(HOSTILE)
    assert await answer.locator("a, img").count() == 0
    assert await page.title() != "owned"


@pytest.mark.parametrize("look", ["light", "dark", "more"])
async def test_no_violation_on_a_card(browser: Browser, look: str) -> None:
    async with scripted_node(Script(turn=turn(emergency()))) as node:
        page = await browser.new_page(
            viewport={"width": 1080, "height": 1920}, color_scheme="dark" if look == "dark" else "light",
            contrast="more" if look == "more" else "no-preference",
        )  # fmt: skip
        await begin(page, node.url)
        await ask(page, "she cannot breathe")
        await expect((await answered(page)).get_by_role("alert")).to_be_focused()
        assert await violations(page, enhanced_contrast=True) == []
        await page.close()
