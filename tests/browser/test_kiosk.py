"""The customer's journey against the real node on the sample clinic. States that it reaches only by accident are in
test_kiosk_states.py."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.chromium import violations
from tests.browser.kiosk_steps import answered, ask, begin, hand_over, open_kiosk, page_text, question
from tests.running import RunningNode, command

SATURDAY = "When are you open on Saturday?"
UNKNOWN = "Who won the football world cup in 1966?"
CANARY = "zebra canary 4711"


async def test_a_question_a_cited_answer_a_source(page: Page, node: RunningNode) -> None:
    await begin(page, node.url)
    await ask(page, SATURDAY)
    answer = await answered(page)
    await expect(answer.locator(".answer-text")).to_contain_text("Saturday")
    source = answer.locator("details").first
    await source.locator("summary").click()
    quote = (await source.locator("mark").inner_text()).strip()
    assert quote
    assert await violations(page, enhanced_contrast=True) == []


@pytest.mark.proves("notice")
async def test_the_notice_comes_from_the_site(page: Page, node: RunningNode) -> None:
    await open_kiosk(page, node.url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.get_by_role("heading", name="You are talking to an AI")).to_be_focused()
    assert len(await page.locator(".notice-text").inner_text()) > 40
    await expect(page.get_by_role("checkbox")).to_have_count(0)
    assert await violations(page, enhanced_contrast=True) == []
    await page.get_by_role("button", name="No, thank you").click()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()


async def test_a_suggestion_is_answered(page: Page, node: RunningNode) -> None:
    await begin(page, node.url)
    await page.get_by_role("list", name="People often ask").get_by_role("button").first.click()
    await expect((await answered(page)).locator("details").first).to_be_visible()


async def test_what_is_not_in_the_documents_goes_to_staff(page: Page, node: RunningNode) -> None:
    await begin(page, node.url)
    await ask(page, UNKNOWN)
    answer = await answered(page)
    await expect(answer).to_contain_text("Not in our documents")
    await hand_over(answer)
    await expect(page.locator(".ticket .number")).not_to_be_empty()


async def test_from_the_kiosk_to_the_desk_and_back(page: Page, node: RunningNode) -> None:
    site = ("--site", str(node.site))
    await begin(page, node.url)
    await ask(page, UNKNOWN)
    await hand_over(await answered(page))
    number = await page.locator(".ticket .number").inner_text()
    await command("inbox", "take", *site, number, "--as", "Anna Berg")
    await expect(page.locator(".ticket .state")).to_have_text("Anna is with you.")
    await command("inbox", "reply", *site, number, "England did.", "--as", "Anna Berg")
    await expect(page.locator(".staff")).to_contain_text("England did.")
    await page.get_by_label("Your message to Anna").fill("Thank you!")
    async with page.expect_response("**/messages"):
        await page.keyboard.press("Enter")
    await expect(page.locator(".bubble.question").last).to_contain_text("Thank you!")
    shown = await command("inbox", "show", *site, number, "--json")
    assert (shown["said"][0]["text"], shown["said"][-1]["text"]) == (UNKNOWN, "Thank you!")
    await command("inbox", "close", *site, number, "--as", "Anna Berg")
    await expect(page.locator(".with")).to_contain_text("You are talking to the AI again")
    assert await violations(page, enhanced_contrast=True) == []


async def test_feedback_is_taken(page: Page, node: RunningNode) -> None:
    await begin(page, node.url)
    await ask(page, SATURDAY)
    answer = await answered(page)
    await answer.get_by_role("button", name="Not useful").click()
    await answer.get_by_label("It is out of date").check()
    await answer.get_by_role("button", name="Send").click()
    await expect(page.get_by_text("Thank you, we noted that.")).to_be_focused()


async def test_a_phone_number_is_recognised_and_said(page: Page, node: RunningNode) -> None:
    await begin(page, node.url)
    await ask(page, "My number is +44 20 7946 0958. When are you open on Saturday?")
    await expect(await answered(page)).to_contain_text("We recognised personal details (phone number")


async def test_start_over_ends_the_session_on_the_node(page: Page, node: RunningNode) -> None:
    async with page.expect_request("**/turns") as turn:
        await begin(page, node.url)
        await ask(page, f"{SATURDAY} {CANARY}")
    request = await turn.value
    await answered(page)
    async with page.expect_response(lambda reply: reply.request.method == "DELETE") as wiped:
        await page.get_by_role("button", name="Start over").click()
    assert (await wiped.value).status == 204
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert CANARY not in await page_text(page)
    headers = {"Authorization": (await request.all_headers())["authorization"]}
    again = await page.request.post(request.url, headers=headers, data={"text": "still there?"})
    assert again.status in (401, 404)


async def test_a_session_that_ended_elsewhere_returns_to_the_start(page: Page, node: RunningNode) -> None:
    """A session wiped behind the page's back: one sentence, and the start."""
    async with page.expect_response("**/api/v1/sessions") as opened:
        await begin(page, node.url)
    session = await (await opened.value).json()
    await page.request.delete(
        f"{node.url.rstrip('/')}/api/v1/sessions/{session['session_id']}",
        headers={"Authorization": f"Bearer {session['token']}"},
    )
    await ask(page, CANARY)
    await expect(page.get_by_text("Your last conversation had ended")).to_be_visible()
    assert CANARY not in await page_text(page)


async def test_four_thousand_characters_pass_and_one_more_is_refused(page: Page, node: RunningNode) -> None:
    await begin(page, node.url)
    await ask(page, (f"{SATURDAY} " * 130)[:4_000])
    await answered(page)
    await ask(page, "x" * 4_001)
    await expect(page.get_by_role("alert")).to_contain_text("4,001 of at most 4,000")
    await expect(question(page)).to_be_focused()
