"""The page that a link to a receipt opens: read, kept and printed without a login, and plain when the link is over."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.receipts import receipt, record, text, use
from tests.browser.scripted_node import ScriptedNode

SMALL = {"width": 320, "height": 640}
"""WCAG 2.2 1.4.10: what a page at four times its size has."""


async def open_page(page: Page, node: ScriptedNode, secret: str = "s3cret") -> None:
    await page.goto(f"{node.url}/receipt#{secret}")
    await page.wait_for_selector("html[data-ready]")


async def test_plain_words_come_first_and_the_proof_is_folded_away(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.receipt = receipt(text(), text(640, "60" * 16), inside=300)
    await open_page(page, scripted)
    await expect(page.get_by_text("to our organisation's own computers: 2,480 bytes.")).to_be_visible()
    await expect(page.get_by_role("listitem")).to_have_count(2)
    await expect(page.get_by_text("This page can be opened until")).to_be_visible()
    note = page.get_by_role("region", name="Signed checkpoint")
    await expect(note).to_be_hidden()
    await page.get_by_text("Proof, for whoever checks").focus()
    await page.keyboard.press("Enter")
    await expect(note).to_contain_text("postern-ledger/")
    await expect(page.get_by_text("4 of the 1,904 entries")).to_be_visible()
    for name, file in (("the program verify.py", "verify.py"), ("our key, receipts.pub", "receipts.pub")):
        link = page.get_by_role("link", name=name)
        await expect(link).to_have_attribute("href", f"/receipt/{file}")
        await expect(link).to_have_attribute("download", "")
    assert await violations(page, enhanced_contrast=True) == []


async def test_where_nothing_left_it_says_what_that_proves(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.receipt = receipt()
    await open_page(page, scripted)
    await expect(page.get_by_text("0 bytes. Nothing that you asked has left")).to_be_visible()
    await page.get_by_text("Proof, for whoever checks").click()
    await expect(page.get_by_text("had 1,904 entries. It names nobody")).to_be_visible()


async def test_the_sum_is_a_bound_where_not_all_of_it_was_sent(page: Page, scripted: ScriptedNode) -> None:
    for secret, outcome in enumerate(("not_sent", "", "written")):
        other = text(640, "60" * 16, record=record(outcome, 7) if outcome else None)
        scripted.script.receipt, scripted.script.secret = receipt(text(), other), f"s{secret}"
        await open_page(page, scripted, f"s{secret}")
        up_to = "" if outcome == "written" else "up to "
        await expect(page.get_by_text(f"own computers: {up_to}2,480 bytes.")).to_be_visible()


async def test_which_servers_of_the_building_were_told_is_said_of_each(
    page: Page, scripted: ScriptedNode
) -> None:
    hooks = (use("webhook", 120, "delivery_failed"), use("webhook", 120))
    scripted.script.receipt = receipt(uses=(*hooks, use("mail", 700)), inside=300)
    await open_page(page, scripted)
    for said in (
        "a server of our staff was told your number, and nothing that was said: up to 240 bytes.",
        "our mail server was told your number for our staff, and nothing that was said: 700 bytes.",
        "our server for language models was asked for help: 300 bytes.",
    ):
        await expect(page.get_by_text(said)).to_be_visible()
    await expect(page.get_by_text("told no other server")).to_have_count(0)
    await expect(page.get_by_text("What our staff read on their own screens")).to_be_visible()
    scripted.script.receipt = receipt()
    await page.reload()
    await expect(page.get_by_text("The machine that you asked told no other server")).to_be_visible()


async def test_it_is_downloaded_as_it_was_signed(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.receipt = receipt(text())
    await open_page(page, scripted)
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download the receipt").click()
    download = await coming.value
    assert download.suggested_filename == "receipt.json"
    assert json.loads(Path(await download.path()).read_text()) == scripted.script.receipt


async def test_a_link_that_is_over_says_so(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.receipt = receipt(text())
    for secret, said in (("", "This link is not whole."), ("another", "This link works no longer.")):
        await open_page(page, scripted, secret)
        await page.reload()
        await expect(page.get_by_role("alert")).to_contain_text(said)
        await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
        await expect(page.get_by_role("listitem")).to_have_count(0)
    assert await violations(page, enhanced_contrast=True) == []
    await open_page(page, scripted)
    await expect(page.get_by_role("listitem")).to_have_count(1)


async def test_a_node_that_does_not_answer_can_be_asked_again(page: Page, scripted: ScriptedNode) -> None:
    await open_page(page, scripted)
    await expect(page.get_by_role("alert")).to_be_visible()
    scripted.script.receipt = receipt()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("0 bytes.")).to_be_visible()
    await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("locale", ["en", "ar"])
async def test_it_fits_a_narrow_screen_in_both_directions_and_on_paper(
    page: Page, scripted: ScriptedNode, locale: str
) -> None:
    scripted.script.receipt, scripted.script.locale = receipt(text(), missing="late"), locale
    await page.set_viewport_size(SMALL)
    await open_page(page, scripted)
    await page.get_by_text("Proof, for whoever checks").click()
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0
    assert await violations(page, enhanced_contrast=True) == []
    await page.emulate_media(media="print")
    await expect(page.get_by_role("button")).to_have_count(0)
    await expect(page.get_by_role("listitem")).to_be_visible()


async def test_numbers_and_dates_are_in_the_language_of_the_words_and_name_their_zone(
    browser: Browser, scripted: ScriptedNode
) -> None:
    scripted.script.receipt, scripted.script.locale = receipt(text()), "ar"
    page = await browser.new_page(locale="ar-EG", timezone_id="Europe/Berlin")
    await open_page(page, scripted)
    await expect(page.get_by_text("Made 1 Mar 2026, 01:01 CET, and kept nowhere.")).to_be_visible()
    await expect(page.get_by_text("own computers: 1,840 bytes.")).to_be_visible()
    await page.close()


async def test_the_secret_is_in_no_address_that_is_asked_for(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.receipt = receipt()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url + json.dumps(request.headers.get("referer"))))
    await open_page(page, scripted)
    assert any(re.search("/api/v1/receipt", one) for one in asked)
    assert not [one for one in asked if "s3cret" in one and not one.startswith(f"{scripted.url}/receipt#")]
