"""Pictures for README and docs: `python -m tests.browser.screenshots` writes them into docs/images; with names of
PARTS, those alone.

The kiosk's and the site console's are of the real node on the sample clinic; the fleet's shows nodes in every state, so
those are scripted.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from playwright.async_api import Browser

from cloud_sync.fleet.rollouts.spec import parse_spec
from edge.store.operators import Role
from tests.browser.chromium import ROOT, chromium
from tests.browser.desk_steps import claim, go, log_in, second_page
from tests.browser.kiosk_steps import answered, ask, begin, hand_over, open_kiosk
from tests.browser.scripted_fleet import NAME, nodes_of, scripted_console
from tests.integration.site_console.rig import PASSWORD, console_rig
from tests.running import Customer, prepare_clinic, running
from tests.unit.edge.privacy.people_rig import seed

IMAGES = ROOT / "docs/images"
# A README loads on a phone, too.
BYTES_MAX = 300 * 1024
# None of these the sample clinic's documents answer.
UNANSWERED = (
    "Do you repair bicycles?",
    "Can I buy stamps here?",
    "Do you sell postage stamps?",
    "May I bring my parrot?",
    "Can I bring my parrot?",
    "Is my parrot allowed inside?",
)


async def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with chromium() as browser:
            for name in sys.argv[1:] or PARTS:
                place = Path(folder) / name
                place.mkdir()
                await PARTS[name](browser, place)


async def _kiosk(browser: Browser, folder: Path) -> None:
    """First screen and an answer with its source, side by side, as on a standing screen."""
    with running(prepare_clinic(folder)) as node:
        page = await browser.new_page(viewport={"width": 1080, "height": 1800}, reduced_motion="reduce")
        await open_kiosk(page, node.url)
        first = await page.screenshot()
        await begin(page, node.url)
        await ask(page, "When are you open on Saturday?")
        await (await answered(page)).locator("summary").first.click()
        second = await page.screenshot()
        await page.close()
    _save("kiosk.png", await _beside(browser, first, second))


async def _desk(browser: Browser, folder: Path) -> None:
    """A ticket with a reply, and unanswered questions in groups."""
    with running(prepare_clinic(folder)) as node:
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        await claim(page, node)
        async with Customer.at(node.url) as customer:
            for text in UNANSWERED:
                await customer.ask(text)
        async with second_page(page) as kiosk:
            await begin(kiosk, node.url)
            await ask(kiosk, "Is there somebody who can push my wheelchair?")
            await hand_over(await answered(kiosk))
            await page.goto(f"{node.url}/console/inbox")
            await page.get_by_role("row", name="Waiting").get_by_role("link").click()
            await page.get_by_label("Your message").fill(
                "I am coming to the entrance. Please wait beside the kiosk."
            )
            await page.get_by_role("button", name="Send").click()
            await page.get_by_role("log").get_by_text("I am coming").wait_for()
            await page.evaluate("scrollTo(0, 0)")
            ticket = await page.screenshot()
        await go(page, "Unanswered")
        await page.get_by_text("3 times").wait_for()
        unanswered = await page.screenshot()
        await page.close()
    _save("console-ticket.png", ticket)
    _save("console-unanswered.png", unanswered)


async def _officer(browser: Browser, folder: Path) -> None:
    """One person whose data is on hold, as the data-protection officer sees them."""
    async with console_rig(folder) as rig:
        await rig.operator("olga", Role.DATA_PROTECTION)
        await seed(rig.store, "patient-0815", "conversation-1")
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        await log_in(page, rig.url, "olga", PASSWORD)
        await go(page, "People")
        await page.get_by_label("Who is meant").fill("patient-0815")
        await page.get_by_role("button", name="Find").click()
        await page.get_by_label("Case").fill("4 C 17/26")
        await page.get_by_role("button", name="Hold").click()
        await page.get_by_text("for 4 C 17/26").first.wait_for()
        picture = await page.screenshot()
        await page.close()
    _save("console-person.png", picture)


async def _fleet(browser: Browser, folder: Path) -> None:
    """Nodes in every state; then a rollout that has stopped itself in its canary."""
    async with scripted_console(folder / "cloud") as console:
        page = await browser.new_page(viewport={"width": 1280, "height": 1040})
        await console.put_all_states()
        await console.claim(page)
        await page.get_by_role("row", name="Front desk").wait_for()
        fleet = await page.screenshot()
        nodes = await nodes_of(console, 40)
        gates = {"kept_min_percent": 90, "soak_s": 0}
        asked = {"kind": "model", "name": "encoder", "version": "2.0", "groups": ["default"], "gates": gates}
        rollout = await console.plane.rollouts.create(parse_spec(asked), NAME)
        await nodes.settle()
        await page.goto(f"{console.url}/rollouts/{rollout.id}")
        await page.get_by_text("Stopped here").wait_for()
        stopped = await page.screenshot()
        await page.close()
    _save("fleet.png", fleet)
    _save("fleet-rollout.png", stopped)


async def _beside(browser: Browser, *pictures: bytes) -> bytes:
    """The pictures in a row, each at half its size; the browser is the image library."""
    sources = [f"data:image/png;base64,{base64.b64encode(picture).decode()}" for picture in pictures]
    page = await browser.new_page(viewport={"width": 1104, "height": 900})
    images = "".join(f'<img width="540" src="{source}">' for source in sources)
    await page.set_content(f'<body style="margin:0;display:flex;gap:24px;background:#fff">{images}</body>')
    row = await page.screenshot()
    await page.close()
    return row


def _save(name: str, picture: bytes) -> None:
    path = IMAGES / name
    if len(picture) > BYTES_MAX:
        raise SystemExit(f"{path} would have {len(picture)} bytes; at most {BYTES_MAX} are allowed")
    path.write_bytes(picture)
    sys.stderr.write(f"{path.relative_to(ROOT)}: {len(picture) // 1024} KiB\n")


PARTS: Mapping[str, Callable[[Browser, Path], Awaitable[None]]] = {
    "kiosk": _kiosk,
    "desk": _desk,
    "officer": _officer,
    "fleet": _fleet,
}


if __name__ == "__main__":
    asyncio.run(main())
