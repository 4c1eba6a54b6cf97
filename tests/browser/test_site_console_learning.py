"""At the console, on the real node: answer what was unanswered and ask again; train intents, accept, go back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.chromium import violations
from tests.browser.desk_steps import claim, go
from tests.running import Customer, RunningNode, copy_site, running

pytestmark = [pytest.mark.models, pytest.mark.long]
QUESTION = "May I bring my parrot to the waiting room?"
SAME = "Can I bring my parrot to the waiting room?"
ANSWER = "Parrots may come to the waiting room in a covered cage."
PERSONAL = "617-555-0123"
# Training some hundred examples beside a browser on a loaded machine, ms.
TRAINING_MS = 240_000
NEW_INTENT = "pets"
LINES = (
    "may I bring my dog",
    "are pets allowed",
    "can my parrot come along",
    "is my cat welcome",
    "do you allow animals",
    "can I bring a guide dog",
    "is there a place for pets",
)


@pytest.fixture
def fresh(prepared_clinic: Path, tmp_path: Path) -> Iterator[RunningNode]:
    with running(copy_site(prepared_clinic, tmp_path)) as node:
        yield node


async def answers(node: RunningNode, question: str) -> str:
    """What a customer is told who means nothing of what the desk may ask back."""
    async with Customer.at(node.url) as customer:
        turn = await customer.ask(question)
        if turn["choices"]:
            turn = await customer.ask(turn["choices"][-1]["question"])
        return str(turn["answer"])


async def test_an_unanswered_question_is_answered_approved_and_asked_again(
    page: Page, fresh: RunningNode
) -> None:
    await claim(page, fresh)
    await go(page, "Unanswered")
    await expect(page.get_by_role("heading", name="Every question was answered")).to_be_visible()
    for text in (QUESTION, f"{SAME} Call me on {PERSONAL}."):
        assert ANSWER not in await answers(fresh, text)
    await go(page, "Unanswered")
    group = page.locator(".passages > li").filter(has_text="parrot")
    await expect(group).to_have_count(1)
    await expect(group).to_contain_text("2 times")
    assert PERSONAL not in await page.content()
    assert await violations(page) == []
    await group.get_by_role("link", name="Write the answer").click()
    await page.get_by_label("The question, as you would put it").fill(QUESTION)
    await page.get_by_label("The answer", exact=True).fill(ANSWER)
    assert await violations(page) == []
    await page.get_by_role("button", name="Save as a draft").click()
    await expect(page.locator(".standing")).to_contain_text("Draft")
    assert ANSWER not in await answers(fresh, QUESTION)
    await page.get_by_label("State").select_option("approved")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".standing")).to_contain_text("Approved")
    assert ANSWER in await answers(fresh, QUESTION)
    await go(page, "Unanswered")
    await expect(group).to_contain_text("1 time ")  # as it was asked again while the answer was a draft
    await go(page, "Audit")
    for action in ("unanswered.answer", "unanswered.answered", "documents.set"):
        await expect(page.get_by_role("row", name=action).first).to_be_visible()
    assert "parrot" not in (await page.locator("tbody").inner_text()).replace("may-i-bring-my-parrot", "")


async def test_a_question_can_be_dismissed(page: Page, fresh: RunningNode) -> None:
    await claim(page, fresh)
    await answers(fresh, "Which acupuncture needles does the astronaut prefer?")
    await go(page, "Unanswered")
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_role("heading", name="Every question was answered")).to_be_visible()


async def test_what_is_right_is_said_of_an_unanswered_question_and_forgotten_again(
    page: Page, fresh: RunningNode
) -> None:
    await claim(page, fresh)
    await go(page, "Learning")
    await expect(page.get_by_text("Nothing has been learnt yet")).to_be_visible()
    await answers(fresh, f"{QUESTION} Call me on {PERSONAL}.")
    await go(page, "Unanswered")
    await page.get_by_role("link", name="Write the answer").click()
    await page.get_by_role("link", name="Say which one").click()
    await expect(page.get_by_label("The question, as a customer asks it")).to_have_value(re.compile("parrot"))
    await page.get_by_label("Document", exact=True).fill("no-such-document.md")
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_role("alert")).to_contain_text("no-such-document.md")
    await page.get_by_label("Document", exact=True).fill("visiting-and-accompanying.md")
    await page.get_by_role("button", name="Keep it").click()
    row = page.get_by_role("row").filter(has_text="parrot")
    await expect(row).to_contain_text("Answered by visiting-and-accompanying.md")
    await expect(row).not_to_contain_text(PERSONAL)
    assert await violations(page) == []
    await go(page, "Unanswered")
    await expect(page.get_by_role("heading", name="Every question was answered")).to_be_visible()
    await go(page, "Learning")
    await row.get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("There are none yet.")).to_be_visible()
    await page.get_by_label("The question, as a customer asks it").fill("Do you sell stamps?")
    await page.get_by_label("No document of ours answers it").check()
    await page.get_by_role("button", name="Keep it").click()
    await expect(page.get_by_role("row").filter(has_text="stamps")).to_contain_text("No document answers it")
    await go(page, "Audit")
    for action in ("learning.add", "learning.remove"):
        await expect(page.get_by_role("row", name=action).first).to_be_visible()
    assert "stamps" not in await page.locator("tbody").inner_text()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_learning_is_watched_and_says_why_nothing_changed(page: Page, fresh: RunningNode) -> None:
    await claim(page, fresh)
    await go(page, "Learning")
    await page.get_by_role("button", name="Learn now").click()
    await expect(page.get_by_role("heading", name="Learning", level=1)).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Done", exact=True)).to_be_visible(timeout=TRAINING_MS)
    await expect(page.get_by_role("row", name="Which passages come first")).to_contain_text("Does not serve")
    assert await violations(page) == []


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_an_intent_is_added_trained_and_taken_back(page: Page, fresh: RunningNode) -> None:
    await claim(page, fresh)
    await go(page, "Intents")
    first = page.get_by_role("row").filter(has_text="UTC").first
    await expect(first).to_contain_text("Serves")  # `postern init` trains what the template brings
    await page.get_by_label("Intent", exact=True).fill(NEW_INTENT)
    await page.get_by_label("How people say it").fill("only one line")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text(NEW_INTENT)
    await expect(page.get_by_label("How people say it")).to_have_value("only one line")
    await page.get_by_label("How people say it").fill("\n".join(LINES))
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row", name=NEW_INTENT)).to_contain_text(str(len(LINES)))
    assert await violations(page) == []
    await page.get_by_role("button", name="Train with").click()
    await expect(page.get_by_role("heading", name="Training intents")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("Version 2", exact=True)).to_be_visible(timeout=TRAINING_MS)
    await expect(page.get_by_text("Right before, on the same examples")).to_be_visible()
    assert await violations(page) == []
    await go(page, "Intents")
    if await page.get_by_role("button", name="Accept: let version 2 serve").count():
        await page.get_by_role("button", name="Accept: let version 2 serve").click()
    await expect(page.get_by_role("row").filter(has_text="UTC").first).to_contain_text("Serves")
    await page.get_by_role("button", name="Go back to the version before").click()
    await expect(page.get_by_role("button", name="Accept: let version 2 serve")).to_be_visible()
    await go(page, "Audit")
    for action in ("intents.edit", "intents.train", "intents.roll-back"):
        await expect(page.get_by_role("row", name=action).first).to_be_visible()
