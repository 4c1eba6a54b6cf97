"""Documents at the console, on the real node: upload, ask, change what is said of one, test search, refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.browser.chromium import violations
from tests.browser.desk_steps import claim, go
from tests.running import Customer, RunningNode, copy_site, running

pytestmark = [pytest.mark.models, pytest.mark.long]
FACT = "Parrots may visit the garden on Sundays between two and four."
QUESTION = "When may parrots visit the garden?"


@pytest.fixture
def fresh(prepared_clinic: Path, tmp_path: Path) -> Iterator[RunningNode]:
    with running(copy_site(prepared_clinic, tmp_path)) as node:
        yield node


def parrots(text: str = FACT) -> FilePayload:
    return {"name": "parrots.md", "mimeType": "text/markdown", "buffer": f"# Parrots\n\n{text}\n".encode()}


async def answer(node: RunningNode) -> str:
    async with Customer.at(node.url) as customer:
        return str((await customer.ask(QUESTION))["answer"])


async def upload(page: Page, *files: FilePayload) -> None:
    await go(page, "Documents")
    await page.get_by_label("Files").set_input_files(list(files))
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("heading", name="Adding documents")).to_be_visible()
    await expect(page.get_by_text("Done", exact=True)).to_be_visible()


async def test_an_uploaded_document_answers_until_it_is_retired_or_removed(
    page: Page, fresh: RunningNode
) -> None:
    await claim(page, fresh)
    assert FACT not in await answer(fresh)
    await upload(page, parrots())
    await page.reload()
    row = page.get_by_role("row", name="parrots.md")
    await expect(row).to_contain_text("Added")
    assert FACT in await answer(fresh)
    await row.get_by_role("link").click()
    await expect(page.get_by_text(FACT)).to_be_visible()
    assert await violations(page) == []
    await page.get_by_label("State").select_option("retired")
    await page.get_by_label("Owner").fill("Front desk")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".standing")).to_contain_text("Retired")
    await expect(page.get_by_label("Owner")).to_have_value("Front desk")
    assert FACT not in await answer(fresh)
    await page.get_by_label("State").select_option("approved")
    await page.get_by_label("Answers until").fill("2001-01-01")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Answers until")).to_have_value("2001-01-01")
    assert FACT not in await answer(fresh)
    await page.get_by_label("Answers until").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Answers until")).to_have_value("")
    assert FACT in await answer(fresh)
    await page.get_by_label("Yes, remove it").check()
    await page.get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("heading", name="Documents", level=1)).to_be_visible()
    assert FACT not in await answer(fresh)
    await go(page, "Audit")
    for action in ("documents.upload", "documents.take-in", "documents.set", "documents.remove"):
        await expect(page.get_by_role("row", name=action).first).to_contain_text("done")


async def test_what_cannot_be_read_is_said_with_what_to_do_and_stops_nothing_else(
    page: Page, fresh: RunningNode
) -> None:
    await claim(page, fresh)
    broken: FilePayload = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 nothing"}
    await upload(page, broken, parrots())
    await expect(page.get_by_role("row", name="broken.pdf")).to_contain_text("Not added.")
    await expect(page.get_by_role("row", name="parrots.md")).to_contain_text("Added")
    await upload(page, parrots())
    await expect(page.get_by_role("row", name="parrots.md")).to_contain_text("unchanged")
    await upload(page, parrots("Parrots must stay at home."))
    await expect(page.get_by_role("row", name="parrots.md")).to_contain_text("Replaced")


async def test_a_draft_is_found_by_the_test_search_alone_and_staff_text_only_as_staff(
    page: Page, fresh: RunningNode
) -> None:
    await claim(page, fresh)
    await go(page, "Documents")
    await page.get_by_label("Files").set_input_files([parrots()])
    await page.get_by_label("State").first.select_option("draft")
    await page.get_by_label("Who may be answered").select_option("staff")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("Done", exact=True)).to_be_visible()
    assert FACT not in await answer(fresh)
    found = page.locator(".passages li").filter(has_text=FACT)
    for audience, drafts, count in [("public", True, 0), ("staff", False, 0), ("staff", True, 1)]:
        await page.goto(f"{fresh.url}/console/documents/search")
        await page.get_by_label("Question").fill(QUESTION)
        await page.get_by_label("As", exact=True).select_option(audience)
        await page.get_by_label("Drafts too").set_checked(drafts)
        await page.get_by_role("button", name="Search").click()
        await expect(found).to_have_count(count)
    await expect(found).to_contain_text("by words: place 1")
    await expect(found).to_contain_text("by meaning: place")
    assert await violations(page) == []
    await go(page, "Documents")
    await expect(page.get_by_role("row", name="parrots.md")).to_contain_text("Draft")


async def test_documents_that_differ_stand_side_by_side_until_one_is_retired(
    page: Page, fresh: RunningNode
) -> None:
    await claim(page, fresh)
    await page.goto(f"{fresh.url}/console/documents/differences")
    await expect(page.get_by_role("heading", name="No two documents are known to differ")).to_be_visible()
    assert await violations(page) == []
    async with Customer.at(fresh.url) as customer:
        await customer.ask("How much deposit do I leave for a pair of crutches?")
    await go(page, "Overview")
    finding = page.get_by_role("row", name="Documents that differ")
    await expect(finding).to_contain_text("Two documents contradict each other.")
    await go(page, "Documents")
    await expect(page.get_by_text("Two documents contradict each other.")).to_be_visible()
    await go(page, "Overview")
    await finding.get_by_role("link").click()
    pair = page.locator(".passages > li")
    await expect(pair.locator("blockquote")).to_have_count(2)
    for words in ("£20", "£30", "equipment-loans.md", "physiotherapy.md"):
        await expect(pair).to_contain_text(words)
    assert await violations(page) == []
    await pair.get_by_role("link").first.click()
    await page.get_by_label("State").select_option("retired")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".standing")).to_contain_text("Retired")
    await go(page, "Overview")
    await expect(page.get_by_role("row", name="Documents that differ")).to_have_count(0)
    await go(page, "Audit")
    await expect(page.get_by_role("row", name="documents.differences").first).to_contain_text("done")


async def test_files_can_be_dropped_and_names_of_files_stay_text(page: Page, fresh: RunningNode) -> None:
    await claim(page, fresh)
    await go(page, "Documents")
    transfer = await page.evaluate_handle(
        """(text) => { const data = new DataTransfer();
        data.items.add(new File([text], '<img src=x onerror=alert(1)>.md', {type: 'text/markdown'})); return data; }""",
        f"# Parrots\n\n{FACT}\n",
    )
    await page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_text("Done", exact=True)).to_be_visible()
    assert await page.locator("main img").count() == 0
    await expect(page.get_by_role("row", name="onerror")).to_be_visible()


async def test_everything_works_without_scripts(page: Page, fresh: RunningNode) -> None:
    assert page.context.browser is not None
    context = await page.context.browser.new_context(java_script_enabled=False)
    plain = await context.new_page()
    await claim(plain, fresh)
    await go(plain, "Documents")
    await plain.get_by_role("button", name="Add", exact=True).click()
    await plain.get_by_label("Files").set_input_files([parrots()])
    await plain.get_by_role("button", name="Add", exact=True).click()
    await expect(plain.get_by_role("heading", name="Adding documents")).to_be_visible()
    await expect(plain.get_by_text("Done", exact=True).or_(plain.get_by_text("At work"))).to_be_visible()
    await context.close()
