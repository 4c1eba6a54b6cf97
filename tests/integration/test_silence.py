"""A kiosk whose page is gone, say by a power cut of the screen: the node wipes its silent conversation by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.running import Customer, command, running

# The shortest that a site can set; the sweep comes within seconds after.
SILENCE = "\n[limits]\nidle_warn_s = 5\nidle_wipe_s = 25\n"
WAIT_S = 100.0


@pytest.mark.long
async def test_a_silent_conversation_is_wiped_without_its_page(clinic: Path) -> None:
    (clinic / "site.toml").write_text((clinic / "site.toml").read_text() + SILENCE)
    with running(clinic) as node:
        async with Customer.at(node.url) as customer:
            await customer.ask("Where can I park?")

            async def held() -> int:
                return int((await command("status", "--site", str(clinic), "--json"))["sessions"])

            assert await held() == 1
            async with asyncio.timeout(WAIT_S):
                while await held():
                    await asyncio.sleep(0.5)
            status, problem = await customer.send("POST", customer.turns, {"text": "Hello?"})
            assert (status, problem["code"]) == (401, "session_not_found")
