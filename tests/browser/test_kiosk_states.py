"""The kiosk page in states that a real node reaches only by accident, and what must hold in every state."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chromium import violations
from tests.browser.kiosk_steps import (
    answered,
    ask,
    begin,
    hand_over,
    open_kiosk,
    page_text,
    question,
    stop_clock,
    tab_to,
    wiped,
)
from tests.browser.scripted_node import HOURS, NOT_FOUND, Script, ScriptedNode, scripted_node

CANARY = "zebra-canary-4711"
HOSTILE = (
    '<img src=x onerror="document.title=\'owned\'"> <script>document.title="owned"</script> '
    "[free money](javascript:alert(1)) **bold** &lt;b&gt;"
)


@pytest.mark.proves("notice")
async def test_a_whole_journey_by_keyboard_only(page: Page, scripted: ScriptedNode) -> None:
    await open_kiosk(page, scripted.url)
    await tab_to(page, "Start")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="You are talking to an AI")).to_be_focused()
    await tab_to(page, "I understand, let me ask")
    await page.keyboard.press("Enter")
    await expect(question(page)).to_be_focused()
    await page.keyboard.type("When are you open on Saturday?")
    await page.keyboard.press("Enter")
    answer = await answered(page)
    await expect(answer).to_contain_text("09:00 to 13:00")
    await expect(question(page)).to_be_focused()
    await tab_to(page, "Opening hours › Weekends", back=True)
    await page.keyboard.press("Enter")
    await expect(answer.locator("mark").first).to_be_visible()
    await tab_to(page, "Useful")
    await page.keyboard.press("Enter")
    await expect(answer.get_by_text("Thank you")).to_be_focused()
    assert scripted.script.feedback == [True]
    await tab_to(page, "Start over", back=True)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert await wiped(scripted.script) == "s1"


async def test_a_screen_reader_hears_an_answer_once_and_complete(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await page.evaluate(
        """() => { window.heard = []; const log = document.querySelector('[role=log]');
        new MutationObserver((changes) => { for (const change of changes) {
          if (change.type === 'characterData') heard.push('changed');
          for (const added of change.addedNodes) heard.push(added.textContent);
        } }).observe(log, { childList: true, characterData: true, subtree: true }); }"""
    )
    scripted.script.go_on.clear()
    await ask(page, "When are you open on Saturday?")
    await expect(page.locator("[data-part=partial]")).to_contain_text("On Saturdays")
    assert len(await page.evaluate("heard")) == 1, "only the question so far"
    assert await page.locator("[aria-hidden=true] [data-part=partial]").count() == 1
    scripted.script.go_on.set()
    await answered(page)
    heard = await page.evaluate("heard")
    assert len(heard) == 2
    assert HOURS["answer"] in heard[1]


async def test_sources_open_in_place(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await ask(page, "When are you open on Saturday?")
    answer = await answered(page)
    quote = answer.get_by_text("Saturday: outpatient desk 09:00 to 13:00")
    await expect(quote).to_be_hidden()
    await answer.get_by_text("Opening hours › Weekends").click()
    await expect(quote).to_be_visible()
    await expect(answer.get_by_text("opening-hours.md, version 3")).to_be_visible()
    assert page.url.rstrip("/") == scripted.url


async def test_handoff_gives_a_number(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.turn = dict(NOT_FOUND)
    await begin(page, scripted.url)
    await ask(page, "Can I bring my parrot?")
    await hand_over(await answered(page))
    await expect(page.get_by_text("K-0427", exact=True)).to_be_visible()
    await expect(page.get_by_role("heading", name="Your number")).to_be_focused()


async def test_redactions_are_said_in_words(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.turn = {**HOURS, "redactions": ["PHONE", "PERSON", "PHONE", "SOMETHING_NEW"]}
    await begin(page, scripted.url)
    await ask(page, "x")
    await expect(await answered(page)).to_contain_text(
        "We recognised personal details (phone number, name, other detail); they stay in this building."
    )


async def test_hostile_text_stays_text(page: Page, scripted: ScriptedNode) -> None:
    citation = {"doc": HOSTILE, "version": HOSTILE, "title": HOSTILE, "section": HOSTILE, "quote": HOSTILE}
    scripted.script.turn = {"answer": HOSTILE, "route": "answer", "citations": [citation]}
    scripted.script.notice = HOSTILE
    await begin(page, scripted.url)
    await ask(page, HOSTILE)
    answer = await answered(page)
    await expect(answer.locator(".answer-text")).to_have_text(HOSTILE)
    await expect(page.locator(".bubble.question p")).to_have_text(HOSTILE)
    assert await page.locator("main img, main script, main a, main b, main strong:not(.tick *)").count() == 0
    assert await page.title() == "Harbour Street Clinic: ask us anything"


async def test_a_hostile_site_name_and_suggestion_stay_text(page: Page) -> None:
    script = Script(site_name=HOSTILE, suggestions=(HOSTILE, "</script><img src=x onerror=alert(1)>"))
    async with scripted_node(script) as node:
        await begin(page, node.url)
        await expect(page.get_by_role("button", name="</script><img")).to_be_visible()
        assert await page.locator("img").count() == 0


@pytest.mark.proves("wiping")
async def test_start_over_leaves_nothing_on_the_page(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.turn = {**HOURS, "answer": f"{HOURS['answer']} {CANARY}-answer"}
    await begin(page, scripted.url)
    await ask(page, f"{CANARY}-question")
    await answered(page)
    await question(page).fill(f"{CANARY}-draft")
    await page.get_by_role("button", name="High contrast").click()
    await page.get_by_role("button", name="Largest text").click()
    await page.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert CANARY not in await page_text(page)
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert await page.evaluate("document.documentElement.dataset.contrast") == "normal"
    assert await page.evaluate("document.documentElement.dataset.textSize") == "1"
    await page.keyboard.press("Control+z")
    assert CANARY not in await page_text(page)
    assert await wiped(scripted.script) == "s1"


async def test_start_over_in_mid_answer_stops_it(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.go_on.clear()
    await begin(page, scripted.url)
    await ask(page, CANARY)
    await expect(page.locator("[data-part=partial]")).to_contain_text("On Saturdays")
    await page.get_by_role("button", name="Start over").click()
    scripted.script.go_on.set()
    await begin(page, scripted.url)
    assert CANARY not in await page_text(page)
    await expect(page.get_by_role("article")).to_have_count(0)


async def test_leaving_the_page_wipes(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await ask(page, CANARY)
    await answered(page)
    await page.goto("about:blank")
    await page.go_back()
    await page.wait_for_selector("html[data-ready]")
    assert CANARY not in await page_text(page)
    assert await wiped(scripted.script) == "s1"


@pytest.mark.proves("wiping")
async def test_nobody_there_is_asked_then_wiped(page: Page, scripted: ScriptedNode) -> None:
    await stop_clock(page)
    await begin(page, scripted.url)
    await ask(page, CANARY)
    await answered(page)
    dialog = page.get_by_role("alertdialog")
    await page.clock.run_for(44_000)
    await expect(dialog).to_be_hidden()
    await page.clock.run_for(2_000)
    await expect(dialog).to_contain_text("erased in 30 seconds")
    more = page.get_by_role("button", name="I need more time")
    await expect(more).to_be_focused()
    for _ in range(10):
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_hidden()
        await page.clock.run_for(46_000)
        await expect(dialog).to_be_visible()
    await page.clock.run_for(20_000)
    await expect(dialog).to_be_visible()
    await page.clock.run_for(11_000)
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert CANARY not in await page_text(page)
    assert await wiped(scripted.script) == "s1"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("busy", "Many people are asking right now."),
        ("rate", "That was a bit fast for this machine."),
        ("long", "That question is too long."),
        ("drop", "The answer was cut off."),
        ("broken", "The node has a fault"),
    ],
)
async def test_a_fault_keeps_the_question(
    page: Page, scripted: ScriptedNode, fault: str, sentence: str
) -> None:
    scripted.script.fault = fault
    await begin(page, scripted.url)
    await ask(page, "Where do I park?")
    await expect(page.get_by_role("alert")).to_contain_text(sentence)
    await expect(question(page)).to_have_value("Where do I park?")
    await expect(page.get_by_role("article")).to_have_count(0)
    assert await violations(page) == []
    if fault == "long":
        return
    scripted.script.fault = None
    retry = page.get_by_role("button", name="Try again")
    await expect(retry).not_to_have_attribute("aria-disabled", "true")
    await retry.click()
    await answered(page)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_the_network_goes_and_comes_back(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await page.context.set_offline(True)
    await ask(page, "Where do I park?")
    await expect(page.get_by_role("alert")).to_contain_text("We cannot reach the machine that answers.")
    await expect(question(page)).to_have_value("Where do I park?")
    await page.context.set_offline(False)
    await page.get_by_role("button", name="Try again").click()
    await answered(page)


async def test_no_start_without_the_node(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.open_fault = "busy"
    await stop_clock(page)  # the sentence counts down
    await open_kiosk(page, scripted.url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("You can try again in 2 seconds.")
    scripted.script.open_fault = None
    retry = page.get_by_role("button", name="Try again")
    await page.clock.run_for(2_100)
    await expect(retry).not_to_have_attribute("aria-disabled", "true")
    await retry.click()
    await expect(page.get_by_role("heading", name="You are talking to an AI")).to_be_focused()


async def test_an_expired_conversation_returns_to_the_start(page: Page, scripted: ScriptedNode) -> None:
    scripted.script.fault = "gone"
    await begin(page, scripted.url)
    await ask(page, CANARY)
    await expect(page.get_by_text("Your last conversation had ended")).to_be_visible()
    await expect(page.get_by_role("button", name="Start", exact=True)).to_be_focused()
    assert CANARY not in await page_text(page)


async def test_too_long_is_said_before_it_is_sent(page: Page, scripted: ScriptedNode) -> None:
    await begin(page, scripted.url)
    await question(page).fill("x" * 3_700)
    await expect(page.locator("#question-count", has_text="300 characters left")).to_be_visible()
    # A character outside the basic plane counts once, as on the scripted.
    await ask(page, "😀" * 4_001)
    await expect(page.locator("#question-count", has_text="1 character too many")).to_be_visible()
    await expect(page.get_by_role("alert")).to_contain_text("4,001 of at most 4,000")
    assert scripted.script.asked == []


async def test_right_to_left(page: Page) -> None:
    script = Script(locale="ar", site_name="عيادة شارع الميناء", suggestions=("متى تفتحون يوم السبت؟",))
    script.turn = {**HOURS, "answer": "نفتح يوم السبت من التاسعة صباحا حتى الواحدة ظهرا."}
    async with scripted_node(script) as node:
        await begin(page, node.url)
        await ask(page, "When are you open?")
        answer = await answered(page)
        assert await page.evaluate("document.documentElement.dir") == "rtl"
        assert await page.evaluate("document.documentElement.lang") == "ar"
        assert await answer.locator(".answer-text").evaluate("e => getComputedStyle(e).direction") == "rtl"
        asked = page.locator(".bubble.question p")
        assert await asked.evaluate("e => getComputedStyle(e).direction") == "ltr"
        send = await page.get_by_role("button", name="Ask", exact=True).bounding_box()
        field = await question(page).bounding_box()
        assert send is not None
        assert field is not None
        assert send["x"] < field["x"]
        assert not await _scrolls_sideways(page)
        assert await violations(page) == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("width", "height"),
    [
        (1080, 1920),
        pytest.param(1280, 800, marks=pytest.mark.long),
        (390, 844),
        pytest.param(640, 400, marks=pytest.mark.long),
        (320, 256),
    ],
)
async def test_every_size_and_zoom_fits(
    browser: Browser, scripted: ScriptedNode, width: int, height: int
) -> None:
    """640 × 400 is 1280 × 800 at 200 %; 320 × 256 is it at 400 % (WCAG 1.4.10)."""
    page = await browser.new_page(viewport={"width": width, "height": height})
    await open_kiosk(page, scripted.url)
    await page.get_by_role("button", name="Largest text").click()
    assert not await _scrolls_sideways(page)
    await page.get_by_role("button", name="Start", exact=True).click()
    agree = page.get_by_role("button", name="I understand")
    await expect(agree).to_be_visible()
    assert not await _scrolls_sideways(page)
    await agree.click()
    await ask(page, "When are you open on Saturday?")
    await answered(page)
    assert not await _scrolls_sideways(page)
    await page.close()


@pytest.mark.proves("notice")
@pytest.mark.parametrize(
    "look",
    ["light", pytest.param("dark", marks=pytest.mark.long), pytest.param("more", marks=pytest.mark.long)],
)
async def test_no_violation_in_any_state(browser: Browser, look: str) -> None:
    async with scripted_node(Script()) as node:
        page = await browser.new_page(
            viewport={"width": 1080, "height": 1920}, color_scheme="dark" if look == "dark" else "light",
            contrast="more" if look == "more" else "no-preference",
        )  # fmt: skip
        found = {}

        async def check(state: str) -> None:
            if problems := await violations(page, enhanced_contrast=True):
                found[state] = problems

        await open_kiosk(page, node.url)
        await check("attract")
        await page.get_by_role("button", name="Start", exact=True).click()
        await page.get_by_role("heading", name="You are talking to an AI").wait_for()
        await check("notice")
        await page.get_by_role("button", name="I understand").click()
        await check("chat")
        node.script.go_on.clear()
        await ask(page, "When are you open on Saturday?")
        await expect(page.locator("[data-part=partial]")).to_contain_text("On Saturdays")
        await check("streaming")
        node.script.go_on.set()
        await (await answered(page)).locator("summary").first.click()
        await check("answer")
        for number, route in enumerate(("generate", "overflow", "clarify", "refuse", "safety", "handoff"), 2):
            node.script.turn = {**NOT_FOUND, "route": route, "redactions": ["PHONE"]}
            await ask(page, route)
            await answered(page, number)
        await hand_over(page.get_by_role("article").last)
        await page.locator(".has-number").last.wait_for()
        await check("every route, ticket")
        await page.evaluate("document.getElementById('idle').showModal()")
        await check("idle")
        await page.close()
        assert found == {}


async def test_targets_are_big_enough_for_a_finger(browser: Browser, scripted: ScriptedNode) -> None:
    """60 px at a kiosk, 44 px anywhere."""
    for size, least in (((1080, 1920), 60), ((390, 844), 44)):
        page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
        await begin(page, scripted.url)
        await ask(page, "When are you open on Saturday?")
        await answered(page)
        for target in await page.locator("button:visible, summary:visible, textarea:visible").all():
            box = await target.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= least, await target.text_content()
        await page.close()


async def test_reduced_motion_is_honoured(browser: Browser, scripted: ScriptedNode) -> None:
    page = await browser.new_page(reduced_motion="reduce")
    scripted.script.go_on.clear()
    await begin(page, scripted.url)
    await ask(page, "x")
    assert await page.locator(".lantern").evaluate("e => getComputedStyle(e).animationName") == "none"
    scripted.script.go_on.set()
    await page.close()


async def test_print_shows_one_answer_with_its_sources(page: Page, scripted: ScriptedNode) -> None:
    await page.add_init_script("window.print = () => {}")
    await begin(page, scripted.url)
    await ask(page, "First?")
    await answered(page)
    await ask(page, "Second?")
    await (await answered(page, 2)).get_by_role("button", name="Print").click()
    await page.emulate_media(media="print")
    await expect(page.get_by_text("Second?")).to_be_visible()
    await expect(page.get_by_text("First?")).to_be_hidden()
    await expect(page.get_by_label("Your question")).to_be_hidden()
    await expect(page.get_by_role("article").last.locator("mark").first).to_be_visible()


async def _scrolls_sideways(page: Page) -> bool:
    wide: bool = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return wide


async def test_the_page_says_which_languages_the_desk_answers_in(page: Page, scripted: ScriptedNode) -> None:
    await open_kiosk(page, scripted.url)
    await page.get_by_role("button", name="Start", exact=True).click()
    await expect(page.locator("[data-part=languages]")).to_have_text("Please write in: English, Deutsch.")


async def test_an_answer_in_another_language_is_shown_in_its_direction(
    page: Page, scripted: ScriptedNode
) -> None:
    scripted.script.turn |= {"route": "handoff", "answer": "للأسف", "language": {"code": "ar", "dir": "rtl"}}
    await begin(page, scripted.url)
    await ask(page, "أين يمكنني ركن سيارتي؟")
    text = page.locator(".answer-text").last
    await expect(text).to_have_attribute("lang", "ar")
    await expect(text).to_have_attribute("dir", "rtl")
