"""The kiosk page and the people behind it: asking, waiting, talking, closing; reasons, choices, sources that differ."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.kiosk_steps import answered, ask, begin, hand_over, page_text, question, stop_clock, tab_to
from tests.browser.scripted_node import HOURS, NOT_FOUND, Script, ScriptedNode, scripted_node

TICKET = "K-0427"
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> [free](javascript:alert(1)) <b>bold</b>"


async def tell(node: ScriptedNode, name: str, **data: object) -> None:
    await node.script.news.put((name, dict(data)))


async def waiting(page: Page, node: ScriptedNode) -> None:
    """A customer with a number."""
    node.script.turn = dict(NOT_FOUND)
    await begin(page, node.url)
    await ask(page, "Can I bring my parrot?")
    await hand_over(await answered(page))
    await expect(page.get_by_text(TICKET, exact=True)).to_be_visible()


async def test_handing_over_is_asked_first_and_no_is_an_answer(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await ask(page, "x")
    answer = await answered(page)
    button = answer.get_by_role("button", name="Ask a member of staff")
    await button.press("Enter")
    await expect(answer.get_by_role("heading", name="Hand this over")).to_be_focused()
    await expect(answer).to_contain_text("at most 24 hours, also after this screen is erased")
    await page.keyboard.press("Escape")
    await expect(button).to_be_focused()
    await expect(page.get_by_text(TICKET)).to_have_count(0)
    assert scripted.script.followed_from == []


@pytest.mark.proves("human")
async def test_the_whole_way_to_a_number_and_back_by_keyboard(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.turn = dict(NOT_FOUND)
    await begin(page, scripted.url)
    await ask(page, "x")
    await answered(page)
    await tab_to(page, "Ask a member of staff", back=True)
    await page.keyboard.press("Enter")
    await tab_to(page, "Yes, give me a number")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Your number")).to_be_focused()
    await tab_to(page, "Take it back")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Ask a member of staff")).to_be_focused()
    await page.keyboard.press("Enter")
    await tab_to(page, "No")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Ask a member of staff")).to_be_focused()


async def test_from_the_machine_to_a_person_and_back(page: Page, scripted: ScriptedNode) -> None:
    await waiting(page, scripted)
    status = page.locator(".with")
    await expect(status).to_contain_text(f"Number {TICKET} is waiting")
    assert await status.get_attribute("role") == "status"
    await ask(page, "The machine goes on?")
    await answered(page, 2)
    await tell(scripted, "state", ticket=TICKET, state="human", operator="Anna")
    await expect(page.locator(".ticket .state")).to_have_text("Anna is with you.")
    await expect(status).to_contain_text("goes to Anna, not to the AI")
    await tell(scripted, "message", id=7, ticket=TICKET, operator="Anna", text="Which parrot?")
    said = page.locator(".staff")
    await expect(said).to_contain_text("Anna, member of staff")
    await expect(said).to_contain_text("Which parrot?")
    assert await page.locator(".log .staff").count() == 1  # in the log that screen readers follow
    field = page.get_by_label("Your message to Anna")
    await field.fill("A green one.")
    async with page.expect_response("**/messages"):
        await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".bubble.question").last).to_contain_text("A green one.")
    assert scripted.script.told_staff == ["A green one."]
    assert len(scripted.script.asked) == 2
    await tell(scripted, "state", ticket=TICKET, state="closed", operator="Anna")
    await expect(status).to_contain_text("You are talking to the AI again")
    await expect(question(page)).to_be_visible()
    await ask(page, "And now?")
    await answered(page, 4)
    assert scripted.script.asked[-1] == "And now?"


async def test_a_stream_that_breaks_goes_on_where_it_was(page: Page, scripted: ScriptedNode) -> None:
    await waiting(page, scripted)
    await tell(scripted, "message", id=7, ticket=TICKET, operator="Anna", text="One.")
    await expect(page.locator(".staff")).to_have_count(1)
    await tell(scripted, "drop")
    await tell(scripted, "message", id=8, ticket=TICKET, operator="Anna", text="Two.")
    await expect(page.locator(".staff")).to_have_count(2)
    assert scripted.script.followed_from == ["0", "7"]


async def test_it_is_taken_back(page: Page, scripted: ScriptedNode) -> None:
    await waiting(page, scripted)
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.locator(".ticket .state")).to_contain_text("Taken back")
    await expect(page.get_by_role("button", name="Take it back")).to_be_hidden()
    await expect(page.get_by_role("button", name="Ask a member of staff")).to_be_focused()
    assert scripted.script.withdrawn == 1


async def test_a_full_desk_says_where_to_go(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.handoff_fault = "full"
    scripted.script.turn = dict(NOT_FOUND)
    await begin(page, scripted.url)
    await ask(page, "x")
    await hand_over(await answered(page))
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Very many people are waiting for our staff")
    await expect(alert).to_contain_text("You can try again in")
    scripted.script.handoff_fault = None
    retry = page.get_by_role("button", name="Try again")
    await expect(retry).not_to_have_attribute("aria-disabled", "true")
    await retry.click()
    await expect(page.get_by_text(TICKET, exact=True)).to_be_visible()


async def test_words_for_staff_that_did_not_arrive_come_back(page: Page, scripted: ScriptedNode) -> None:
    await waiting(page, scripted)
    await tell(scripted, "state", ticket=TICKET, state="human", operator="Anna")
    scripted.script.fault = "over"
    field = page.get_by_label("Your message to Anna")
    await field.fill("Hello?")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("This ticket is no longer open")
    await expect(field).to_have_value("Hello?")
    await expect(page.locator(".bubble.question")).to_have_count(1)


async def test_what_staff_write_stays_text_and_goes_with_the_rest(page: Page, scripted: ScriptedNode) -> None:
    await waiting(page, scripted)
    await tell(scripted, "message", id=1, ticket=TICKET, operator=HOSTILE, text=HOSTILE)
    await expect(page.locator(".staff .answer-text")).to_have_text(HOSTILE)
    assert await page.locator("main img, main a, main b").count() == 0
    await page.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert "onerror" not in await page_text(page)
    # The stream of the conversation before says nothing to the next one.
    await begin(page, scripted.url)
    await tell(scripted, "state", ticket=TICKET, state="human", operator="Anna")
    await expect(question(page)).to_be_visible()
    await expect(page.locator(".with")).to_be_hidden()


async def test_not_useful_counts_at_once_and_says_why(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await ask(page, "x")
    answer = await answered(page)
    await answer.get_by_role("button", name="Not useful").click()
    await expect(answer.get_by_role("heading", name="What was wrong")).to_be_focused()
    assert scripted.script.reasons == [{"useful": False}]
    await page.keyboard.press("Tab")
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowDown")
    await expect(answer.get_by_label("It answers something else")).to_be_checked()
    await answer.get_by_label("In your own words").fill("The ward, not the desk.")
    await answer.get_by_role("button", name="Send").click()
    await expect(answer.get_by_text("Thank you, we noted that.")).to_be_focused()
    said = {"useful": False, "reason_code": "not_my_question", "reason": "The ward, not the desk."}
    assert scripted.script.reasons[-1] == said


async def test_the_reason_may_be_left_out(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await ask(page, "x")
    answer = await answered(page)
    await answer.get_by_role("button", name="Not useful").click()
    await answer.get_by_role("button", name="Skip").click()
    await expect(answer.get_by_text("Thank you, we noted that.")).to_be_visible()
    assert scripted.script.reasons == [{"useful": False}]


async def test_one_question_back_with_choices(page: Page, scripted: ScriptedNode) -> None:
    choices = [
        {"label": "The pharmacy", "question": "When is the pharmacy open?"},
        {"label": HOSTILE, "question": "When is the laboratory open?"},
    ]
    scripted.script.turn = {
        "answer": "Which do you mean?",
        "route": "clarify",
        "citations": [],
        "choices": choices,
    }
    await begin(page, scripted.url)
    await ask(page, "When are you open?")
    answer = await answered(page)
    await expect(answer.get_by_role("button", name=HOSTILE)).to_be_visible()
    scripted.script.turn = dict(HOURS)
    await answer.get_by_role("button", name="The pharmacy").click()
    await answered(page, 2)
    assert scripted.script.asked == ["When are you open?", "When is the pharmacy open?"]
    # What the person chose stands where what they asked would; what is over can no longer be chosen.
    await expect(page.locator(".bubble.question").last).to_contain_text("The pharmacy")
    await expect(answer.get_by_role("button", name=HOSTILE)).to_be_disabled()


async def test_sources_that_differ_are_both_shown(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.turn = {**HOURS, "conflict": True}
    await begin(page, scripted.url)
    await ask(page, "x")
    answer = await answered(page)
    await expect(answer.get_by_text("Two sources differ.")).to_be_visible()
    # Said once: in the place of the answer, whose quotes are open below.
    await expect(answer.locator(".answer-text")).to_have_count(0)
    for mark in await answer.locator("mark").all():
        await expect(mark).to_be_visible()
    assert await answer.locator("mark").count() == 2


async def test_quotes_of_one_section_stand_together(page: Page, scripted: ScriptedNode) -> None:
    weekend, visitors = HOURS["citations"]
    lab = {**weekend, "quote": "The laboratory opens on Monday."}
    scripted.script.turn = {**HOURS, "citations": [weekend, visitors, lab]}
    await begin(page, scripted.url)
    await ask(page, "x")
    answer = await answered(page)
    await expect(answer.get_by_text("Where this stands in our documents: 2 places")).to_be_visible()
    await expect(answer.locator("summary")).to_have_count(2)
    await answer.locator("summary").first.click()
    await expect(answer.locator("mark").nth(0)).to_have_text(weekend["quote"])
    await expect(answer.locator("mark").nth(1)).to_have_text(lab["quote"])
    await expect(answer.locator("mark").nth(1)).to_be_visible()


ASKED = {"name": "talk_to_human", "confidence": 0.99, "in_scope": True}


@pytest.mark.proves("marking")
@pytest.mark.parametrize(
    ("turn", "heading"),
    [
        (NOT_FOUND, "Not in our documents"),
        ({**NOT_FOUND, "intent": {**ASKED, "in_scope": False}}, "Not in our documents"),
        ({**NOT_FOUND, "intent": ASKED}, "Our staff can help you"),
        ({**NOT_FOUND, "language": {"code": "de", "dir": "ltr"}}, "Our staff can help you"),
        ({**NOT_FOUND, "card": {"kind": "diagnosis"}}, "Our staff can help you"),
        ({**HOURS, "citations": []}, "From our staff"),
        (HOURS, "From our documents"),
    ],
)
async def test_the_heading_says_where_an_answer_is_from(
    page: Page, scripted: ScriptedNode, turn: dict[str, Any], heading: str
) -> None:
    scripted.script.turn = turn
    await begin(page, scripted.url)
    await ask(page, "x")
    await expect((await answered(page)).locator(".eyebrow").first).to_have_text(heading)


async def test_waiting_counts_down(page: Page, scripted: ScriptedNode) -> None:
    await stop_clock(page)
    scripted.script.fault, scripted.script.retry_after_s = "rate", 20
    await begin(page, scripted.url)
    await ask(page, "x")
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("You can try again in 20 seconds.")
    await page.clock.run_for(12_500)
    await expect(alert).to_contain_text("You can try again in 8 seconds.")
    await page.clock.run_for(8_000)
    await expect(alert).to_contain_text("You can try again now.")
    await expect(page.get_by_role("button", name="Try again")).not_to_have_attribute("aria-disabled", "true")


async def test_a_lost_connection_is_seen_until_it_is_back(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    banner = page.get_by_text("This screen has lost its connection")
    await expect(banner).to_be_hidden()
    await page.context.set_offline(True)
    await ask(page, "Where do I park?")
    await expect(banner).to_be_visible()
    await page.context.set_offline(False)
    await expect(banner).to_be_hidden()
    await page.get_by_role("button", name="Try again").click()
    await answered(page)


@pytest.mark.long
@pytest.mark.parametrize(
    ("width", "height"), [pytest.param(1080, 1920, marks=pytest.mark.long), (390, 844), (320, 256)]
)
@pytest.mark.parametrize("locale", ["en", "ar"])
async def test_every_state_fits_and_has_no_violation(
    browser: Browser, width: int, height: int, locale: str
) -> None:
    choices = [{"label": "The pharmacy", "question": "p"}]
    script = Script(locale=locale, turn={**HOURS, "conflict": True, "choices": choices})
    async with scripted_node(script) as node:
        page = await browser.new_page(viewport={"width": width, "height": height})
        await begin(page, node.url)
        await page.get_by_role("button", name="Largest text").click()
        await ask(page, "x")
        answer = await answered(page)
        await answer.get_by_role("button", name="Ask a member of staff").click()
        await _sound(page)
        await answer.get_by_role("button", name="Yes, give me a number").click()
        await answer.get_by_role("button", name="Not useful").click()
        await expect(answer.get_by_role("heading", name="What was wrong")).to_be_visible()
        await _sound(page)
        await tell(node, "state", ticket=TICKET, state="human", operator="Anna")
        await tell(node, "message", id=1, ticket=TICKET, operator="Anna", text="Please come to desk 2.")
        await expect(page.locator(".staff")).to_be_visible()
        await _sound(page)
        await page.close()


@pytest.mark.long
@pytest.mark.parametrize(("size", "least"), [((1080, 1920), 60), ((390, 844), 44)])
async def test_targets_are_big_enough_for_a_finger(
    browser: Browser, scripted: ScriptedNode, size: tuple[int, int], least: int
) -> None:
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
    await begin(page, scripted.url)
    scripted.script.turn["choices"] = [{"label": "The pharmacy", "question": "p"}]
    await ask(page, "x")
    answer = await answered(page)
    await answer.get_by_role("button", name="Not useful").click()
    await answer.get_by_role("button", name="Ask a member of staff").click()
    await _big(page, least)
    await answer.get_by_role("button", name="Yes, give me a number").click()
    await expect(page.get_by_role("heading", name="Your number")).to_be_focused()
    await _big(page, least)
    await page.close()


async def _big(page: Page, least: int) -> None:
    for target in await page.locator("button:visible, label.tick:visible, textarea:visible").all():
        box = await target.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= least, await target.text_content()


async def _sound(page: Page) -> None:
    assert not await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert await violations(page, enhanced_contrast=True) == []


async def test_a_long_conversation_scrolls_in_its_own_place(page: Page, scripted: ScriptedNode) -> None:
    """What is only heard is not painted, and must not make the page longer than the screen either."""
    await begin(page, scripted.url)
    for number in range(1, 5):
        await ask(page, "When are you open?")
        await answered(page, number)
    assert await page.evaluate("document.scrollingElement.scrollHeight <= innerHeight")
    assert await page.locator(".transcript").evaluate("e => e.scrollHeight > e.clientHeight")
