"""The node is killed in the middle of a conversation with staff: no word is lost, none comes twice, on either side."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import aiohttp
import pytest

from tests.chaos.test_kills import serves, until
from tests.running import Customer, RunningNode, command

UNKNOWN = "Which acupuncture needles does the astronaut prefer?"
KILLS = 3
WAIT_S = 60.0


@pytest.mark.proves("durability")
async def test_words_of_both_sides_survive_kills_of_the_node(kept_node: RunningNode) -> None:
    site = ("--site", str(kept_node.site))
    async with Customer.at(kept_node.url) as customer:
        answer = await customer.ask(UNKNOWN)
        _, made = await customer.send("POST", f"{customer.turns}/{answer['turn_id']}/handoff")
        seen: list[str] = []
        last = "0"
        for number in range(KILLS):
            await command("inbox", "reply", *site, made["ticket"], f"before {number}", "--as", "Anna")
            kept_node.kill("node")
            await until(lambda: serves(kept_node.url))
            await command("inbox", "reply", *site, made["ticket"], f"after {number}", "--as", "Anna")
            messages = f"/api/v1/sessions/{customer.session_id}/messages"
            status, _ = await customer.send("POST", messages, {"text": f"customer {number}"})
            assert status == 201
            # The page comes back where it was: what came while it was away is there, once.
            async with asyncio.timeout(WAIT_S), aclosing(customer.follow(last)) as events:
                with suppress(aiohttp.ClientError):
                    async for name, data, event_id in events:
                        if name == "message":
                            seen, last = [*seen, data["text"]], event_id
                        if seen[-1:] == [f"after {number}"]:
                            break
        wanted = [f"{when} {number}" for number in range(KILLS) for when in ("before", "after")]
        assert seen == wanted
        shown = await command("inbox", "show", *site, made["ticket"], "--json")
        staff = [message["text"] for message in shown["said"] if message["sender"] == "staff"]
        customers = [message["text"] for message in shown["said"] if message["sender"] == "customer"]
        assert (staff, customers) == (wanted, [UNKNOWN, *(f"customer {n}" for n in range(KILLS))])
