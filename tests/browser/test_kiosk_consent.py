"""The notice and the consent at the kiosk page: asked plainly, read again, taken back."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from tests.browser.chromium import violations
from tests.browser.kiosk_steps import begin, open_kiosk, question, tab_to
from tests.browser.receipts import ENVELOPE, link, receipt, text
from tests.browser.scripted_node import Script, ScriptedNode, scripted_node


@pytest.mark.proves("consent")
async def test_overflow_is_asked_plainly_and_off_until_ticked(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    assert scripted.script.consents == [{"notice_version": "1", "overflow": False}]
    await page.get_by_role("button", name="Start over").click()
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_label("You may get help from outside this building.").check()
    await page.get_by_role("button", name="I understand").click()
    await expect(question(page)).to_be_focused()
    assert scripted.script.consents[1] == {"notice_version": "1", "overflow": True}


async def test_overflow_is_not_asked_where_the_site_does_not_offer_it(page: Page) -> None:
    async with scripted_node(Script(overflow_offered=False)) as node:
        await open_kiosk(page, node.url)
        await page.get_by_role("button", name="Start", exact=True).click()
        await expect(page.get_by_role("heading", name="You are talking to an AI")).to_be_visible()
        await expect(page.get_by_role("checkbox")).to_have_count(0)
        await page.get_by_role("button", name="I understand").click()
        await expect(question(page)).to_be_focused()
        assert node.script.consents == [{"notice_version": "1"}]
        await page.get_by_role("button", name="Your privacy").click()
        await expect(page.get_by_role("dialog", name="What you agreed to")).to_be_visible()
        await expect(page.get_by_role("checkbox")).to_have_count(0)


@pytest.mark.proves("consent")
async def test_what_was_agreed_to_can_be_read_again_and_taken_back(
    page: Page, scripted: ScriptedNode
) -> None:
    await open_kiosk(page, scripted.url)
    await expect(page.get_by_role("button", name="Your privacy")).to_be_hidden()
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_label("You may get help from outside this building.").check()
    await page.get_by_role("button", name="I understand").click()
    await expect(question(page)).to_be_focused()
    await tab_to(page, "Your privacy", back=True)
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="What you agreed to")
    await expect(dialog.get_by_role("heading")).to_be_focused()
    await expect(dialog).to_contain_text(scripted.script.notice[:40])
    tick = dialog.get_by_label("You may get help from outside this building.")
    await expect(tick).to_be_checked()
    assert await violations(page, enhanced_contrast=True) == []
    await tick.focus()
    await page.keyboard.press("Space")
    await expect(dialog.get_by_role("status")).to_have_text("Taken back, from your next question on.")
    assert scripted.script.consents[-1] == {"notice_version": "1", "overflow": False}
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("button", name="Your privacy")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(tick).not_to_be_checked()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("button", name="Your privacy")).to_be_hidden()


async def test_a_change_of_mind_that_did_not_arrive_is_not_shown_as_done(
    page: Page, scripted: ScriptedNode
) -> None:
    await begin(page, scripted.url)
    await page.get_by_role("button", name="Your privacy").click()
    await page.route("**/consent", lambda route: route.abort())
    tick = page.get_by_role("dialog").get_by_role("checkbox")
    await tick.click()
    await expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text(
        "We cannot reach the machine"
    )
    await expect(tick).not_to_be_checked()


async def test_what_left_the_building_can_be_read_and_printed_alone(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.receipt, scripted.script.link = receipt(), link()
    await begin(page, scripted.url)
    await page.get_by_role("button", name="Your privacy").click()
    await tab_to(page, "What left this building?")
    await page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="What left this building")
    await expect(dialog.get_by_role("heading", name="What left this building")).to_be_focused()
    await expect(dialog.get_by_role("status")).to_have_text(
        "0 bytes. Nothing that you asked has left this building."
    )
    await expect(dialog.get_by_role("listitem")).to_have_count(0)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="What left this building?")).to_be_focused()
    of_a_sibling = text(160, "", "personal", record=None)
    scripted.script.receipt = receipt(text(), of_a_sibling, inside=300)
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("status")).to_have_text(
        "Let out of this building, to our organisation's own computers: up to 2,000 bytes."
    )
    mine, other = dialog.get_by_role("listitem").first, dialog.get_by_role("listitem").nth(1)
    await expect(mine).to_contain_text(ENVELOPE)
    await expect(mine).to_contain_text("cloud.example.org:7443")
    await expect(mine).to_contain_text("It was sent, all of it.")
    await expect(mine).to_contain_text("Classed as public under our rules number 3a9c510f0f0f")
    await expect(other).to_contain_text("Another of our machines let it out")
    await expect(dialog).to_contain_text("our server for language models was asked for help: 300 bytes.")
    await expect(dialog.get_by_role("img", name="A code for a phone")).to_be_visible()
    assert await violations(page, enhanced_contrast=True) == []
    await page.evaluate("window.print = () => {}")
    await dialog.get_by_role("button", name="Print").click()
    await page.emulate_media(media="print")
    await expect(dialog.get_by_role("list")).to_be_visible()
    await expect(dialog.get_by_role("img")).to_be_hidden()
    await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_hidden()


async def test_the_code_for_a_phone_names_the_pages_own_address_or_why_there_is_none(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.receipt, scripted.script.link = receipt(), link(scripted.url)
    await begin(page, scripted.url)
    await page.get_by_role("button", name="Your privacy").click()
    opens = page.get_by_role("button", name="What left this building?")
    await opens.click()
    dialog = page.get_by_role("dialog", name="What left this building")
    await expect(
        dialog.get_by_text(f"{scripted.url}/receipt#")
    ).to_be_visible()  # what the code says, as text
    assert scripted.script.link_origins == [scripted.url]
    assert await dialog.get_by_role("img").evaluate(
        "(image) => image.decode().then(() => image.naturalWidth > 0)"
    )
    for told, said in (
        (link(no_qr="loopback"), "by an address that no other device can open"),
        (None, "There is no code for a phone at the moment."),
    ):
        await page.keyboard.press("Escape")
        scripted.script.link = told
        await opens.click()
        await expect(dialog).to_contain_text(said)
        await expect(dialog.get_by_role("img")).to_have_count(0)


async def test_without_the_record_the_receipt_says_that_it_has_no_proof(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.receipt, scripted.script.link = receipt(text(), missing="courier_away"), link()
    await begin(page, scripted.url)
    await page.get_by_role("button", name="Your privacy").click()
    await page.get_by_role("button", name="What left this building?").click()
    dialog = page.get_by_role("dialog", name="What left this building")
    await expect(dialog).to_contain_text("the proof is missing")
    await expect(dialog.get_by_role("listitem")).to_contain_text("It may have left.")
    assert await violations(page, enhanced_contrast=True) == []
