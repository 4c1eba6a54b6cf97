"""The kiosk page when its node dies: the chat goes on at another node of the site, by itself."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.kiosk_steps import answered, ask, begin, open_kiosk, question, stop_clock, wiped
from tests.browser.receipts import link, receipt
from tests.browser.scripted_node import HOURS, Script, ScriptedNode, scripted_node
from tests.ports import free_ports
from tests.running import running
from tests.two_nodes import make_siblings

LOST = "This screen has lost its connection"
# After which a node is taken for dead, and a sibling is given up (transport.js), and a moment.
PATIENCE_MS = 2_600
SIBLING_PATIENCE_MS = 10_100


@pytest_asyncio.fixture(loop_scope="session")
async def nodes(page: Page) -> AsyncIterator[tuple[ScriptedNode, ScriptedNode]]:
    """Neither is taken for dead before a test says so, however loaded the machine is."""
    await stop_clock(page)
    ports = free_ports(2)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(scripted_node(Script(siblings=(sibling,)), port))
            for port, sibling in zip(ports, reversed(urls), strict=True)
        ]
        yield one, other


async def test_in_the_middle_of_an_answer_the_question_is_asked_again(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    one, other = nodes
    await begin(page, one.url)
    await ask(page, "Where do I park?")
    await answered(page)
    one.script.go_on.clear()
    other.script.go_on.clear()
    await ask(page, "When are you open on Saturday?")
    await expect(page.locator("[data-part=partial]")).to_contain_text("On Saturdays")
    await one.die()
    await expect(page.locator("#heard")).to_contain_text("Another one of ours goes on")
    await expect(page.locator("[data-part=partial]")).to_contain_text("On Saturdays")
    assert (await page.locator("[data-part=partial]").inner_text()).count("On Saturdays") == 1
    other.script.go_on.set()
    await expect(await answered(page, 2)).to_contain_text(HOURS["answer"])
    assert (other.script.continued, other.script.asked) == (["token-1"], ["When are you open on Saturday?"])
    assert await page.locator(".bubble.question").count() == 2
    await expect(page.get_by_text(LOST)).to_be_hidden()
    await expect(question(page)).to_be_focused()
    await page.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert await wiped(other.script) == "s1"


async def test_before_the_first_answer_the_consent_goes_along(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    one, other = nodes
    await begin(page, one.url)
    await one.die()
    await ask(page, "Where do I park?")
    await answered(page)
    assert other.script.consents == one.script.consents
    assert other.script.continued == []


async def test_the_code_of_a_receipt_leads_to_the_node_that_has_the_conversation(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    one, other = nodes
    other.script.receipt, other.script.link = receipt(), link(other.url)
    await begin(page, one.url)
    await one.die()
    await ask(page, "Where do I park?")
    await answered(page)
    await page.get_by_role("button", name="Your privacy").click()
    await page.get_by_role("button", name="What left this building?").click()
    await expect(page.get_by_text(f"{other.url}/receipt#")).to_be_visible()
    assert (one.script.link_origins, other.script.link_origins) == ([], [other.url])


@pytest.mark.proves("consent")
async def test_what_was_taken_back_stays_so_when_the_node_dies(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    """The token of the answer before knows nothing of it."""
    one, other = nodes
    tick = page.get_by_label("You may get help from outside this building.")
    await open_kiosk(page, one.url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await tick.check()
    await page.get_by_role("button", name="I understand").click()
    await ask(page, "Where do I park?")
    await answered(page)
    await page.get_by_role("button", name="Your privacy").click()
    await tick.uncheck()
    await expect(page.get_by_role("dialog").get_by_role("status")).to_have_text(
        "Taken back, from your next question on."
    )
    await page.keyboard.press("Escape")
    await one.die()
    await ask(page, "When are you open on Saturday?")
    await answered(page, 2)
    assert [said["overflow"] for said in one.script.consents] == [True, False]
    assert (other.script.continued, other.script.consents) == (["token-1"], one.script.consents[-1:])


@pytest.mark.proves("erasure")
@pytest.mark.parametrize("given_up", ["over", "late"])
async def test_where_the_conversation_was_going_when_it_was_given_up_is_wiped(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode], given_up: str
) -> None:
    """By "Start over", or because the sibling took too long: it hears of it once it has answered."""
    one, other = nodes
    await begin(page, one.url)
    await ask(page, "Where do I park?")
    await answered(page)
    other.script.open_on.clear()
    await one.die()
    await ask(page, "When are you open on Saturday?")
    await other.script.opening.wait()
    if given_up == "over":
        await page.get_by_role("button", name="Start over").click()
        await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    else:
        await page.clock.fast_forward(SIBLING_PATIENCE_MS)
        await expect(page.get_by_text(LOST)).to_be_visible()
    other.script.open_on.set()
    assert await wiped(other.script) == "s1"
    assert other.script.asked == []


async def test_a_node_that_falls_silent_is_taken_for_dead(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    one, other = nodes
    await begin(page, one.url)
    one.script.go_on.clear()
    await ask(page, "Where do I park?")
    await expect(page.locator("[data-part=partial]")).to_contain_text("On Saturdays")
    await page.clock.fast_forward(PATIENCE_MS)
    await answered(page)
    assert other.script.asked == ["Where do I park?"]


async def test_where_no_node_is_left_that_is_said_and_the_question_kept(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    one, other = nodes
    await begin(page, one.url)
    await other.die()
    await one.die()
    await ask(page, "Where do I park?")
    await expect(page.get_by_text(LOST)).to_be_visible()
    await expect(question(page)).to_have_value("Where do I park?")


async def test_a_conversation_begins_at_a_sibling_where_the_own_node_is_dead(
    page: Page, nodes: tuple[ScriptedNode, ScriptedNode]
) -> None:
    one, other = nodes
    await page.goto(one.url)
    await page.wait_for_selector("html[data-ready]")
    await one.die()
    await page.get_by_role("button", name="Start", exact=True).click()
    await page.get_by_role("button", name="I understand").click()
    await ask(page, "Where do I park?")
    await answered(page)
    assert other.script.asked == ["Where do I park?"]


@pytest.mark.long
@pytest.mark.long
@pytest.mark.models
async def test_a_real_node_is_killed_in_the_middle_of_an_answer(
    page: Page, prepared_clinic: Path, tmp_path: Path
) -> None:
    """Two `postern run`, kill -9 of one: what was asked is answered by the other, and what was said is known there."""
    with ExitStack() as stack:
        sites = make_siblings(prepared_clinic, tmp_path)
        one, _ = (stack.enter_context(running(site)) for site in sites)
        await begin(page, one.url)
        await ask(page, "When is the pharmacy open?")
        first = await answered(page)
        node = one.pid_of("node")
        os.kill(node, signal.SIGSTOP)  # so that it dies with the question, and not before or after it
        threading.Timer(0.3, os.kill, [node, signal.SIGKILL]).start()
        await ask(page, "Where can I park my car?")
        await expect(await answered(page, 2)).to_contain_text("park")
        await first.get_by_role("button", name="Ask a member of staff").click()
        await first.get_by_role("button", name="Yes, give me a number").click()
        await expect(page.get_by_role("heading", name="Your number")).to_be_focused()
