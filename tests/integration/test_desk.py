"""From the kiosk to the desk and back: a ticket at the real node, staff on the command line, replies in the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from edge.config import site_paths
from edge.store.store import Store
from tests.running import Customer, RunningNode, command

UNKNOWN = "Which acupuncture needles does the astronaut prefer?"
CANARY = "quetzalcoatl-7731"
# Long for a loaded machine, and an error when it is reached.
WAIT_S = 60.0


async def ask_for_a_person(customer: Customer, text: str = UNKNOWN) -> tuple[str, str]:
    """Path of the hand-off, and the ticket's number."""
    answer = await customer.ask(text)
    path = f"{customer.turns}/{answer['turn_id']}/handoff"
    status, made = await customer.send("POST", path)
    assert (status, made["state"], made["keep_h"]) == (201, "waiting", 24)
    return path, str(made["ticket"])


async def until(
    events: AsyncGenerator[tuple[str, Any, str], None], name: str, **wanted: Any
) -> tuple[Any, str]:
    """The next event of this name with these fields, and its id."""
    async with asyncio.timeout(WAIT_S):
        async for found, data, number in events:
            if found == name and wanted.items() <= data.items():
                return data, number
    raise AssertionError(f"the stream ended without {name}")


@pytest.mark.proves("human")
async def test_kiosk_to_desk_and_back(node: RunningNode, customer: Customer) -> None:
    site = ("--site", str(node.site))
    _, ticket = await ask_for_a_person(customer)
    (listed,) = [t for t in await command("inbox", "list", *site, "--json") if t["ticket"] == ticket]
    assert (listed["state"], listed["queue"], listed["customer_here"]) == ("waiting", "desk", True)
    async with aclosing(customer.follow()) as events:
        await until(events, "state", ticket=ticket, state="waiting", operator=None)
        await command("inbox", "take", *site, ticket.lower(), "--as", "Anna Berg")
        await until(events, "state", ticket=ticket, state="human", operator="Anna")
        await command("inbox", "reply", *site, ticket, "Please come to desk 2.", "--as", "Anna Berg")
        said, last = await until(events, "message", ticket=ticket)
        assert (said["operator"], said["text"]) == ("Anna", "Please come to desk 2.")
    path = f"/api/v1/sessions/{customer.session_id}/messages"
    status, _ = await customer.send("POST", path, {"text": "On my way."})
    assert status == 201
    shown = await command("inbox", "show", *site, ticket, "--json")
    assert [m["sender"] for m in shown["said"]] == ["customer", "desk", "staff", "customer"]
    assert (shown["said"][0]["text"], shown["said"][-1]["text"]) == (UNKNOWN, "On my way.")
    await command("inbox", "reply", *site, ticket, "See you.", "--as", "Anna Berg")
    await command("inbox", "close", *site, ticket, "--as", "Anna Berg")
    async with aclosing(customer.follow(last)) as events:
        said, _ = await until(events, "message")
        assert said["text"] == "See you."
        await until(events, "state", ticket=ticket, state="closed")
    status, problem = await customer.send("POST", path, {"text": "Thank you."})
    assert (status, problem["code"]) == (409, "ticket_over")


async def test_a_ticket_is_taken_back(node: RunningNode, customer: Customer) -> None:
    path, ticket = await ask_for_a_person(customer)
    assert (await customer.send("DELETE", path))[0] == 204
    status, problem = await customer.send("DELETE", path)
    assert (status, problem["code"]) == (409, "ticket_over")
    shown = await command("inbox", "show", "--site", str(node.site), ticket, "--json")
    assert (shown["state"], shown["said"]) == ("withdrawn", [])


async def test_the_stream_ends_with_the_conversation(customer: Customer) -> None:
    await ask_for_a_person(customer)
    async with aclosing(customer.follow()) as events:
        await until(events, "state")
        await customer.send("DELETE", f"/api/v1/sessions/{customer.session_id}")
        await until(events, "ended")
        with pytest.raises(StopAsyncIteration):
            await anext(events)


@pytest.mark.parametrize("number", ["x", "-1", "9" * 19, "1.5"])
async def test_an_event_id_that_the_node_never_gave(customer: Customer, number: str) -> None:
    path = f"/api/v1/sessions/{customer.session_id}/events"
    async with customer.raw("GET", path, {"Last-Event-ID": number}) as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_request")


@pytest.mark.long
async def test_a_kill_after_the_number_was_told_loses_nothing(own_node: RunningNode) -> None:
    async with Customer.at(own_node.url) as customer:
        _, ticket = await ask_for_a_person(customer, f"{UNKNOWN} {CANARY}")
        own_node.kill("node")
    site = ("--site", str(own_node.site))
    shown = await command("inbox", "show", *site, ticket, "--json")
    assert shown["said"][0]["text"] == f"{UNKNOWN} {CANARY}"
    await command("inbox", "close", *site, ticket, "--as", "Anna")
    own_node.stop()
    files = [path for path in own_node.site.rglob("*") if path.is_file()]
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.long
async def test_the_ticket_outlives_a_conversation_that_was_wiped(own_node: RunningNode) -> None:
    site = ("--site", str(own_node.site))
    async with Customer.at(own_node.url) as customer:
        _, ticket = await ask_for_a_person(customer)
        await customer.send("DELETE", f"/api/v1/sessions/{customer.session_id}")
    shown = await command("inbox", "show", *site, ticket, "--json")
    assert (shown["said"][0]["text"], shown["customer_here"]) == (UNKNOWN, False)
    own_node.stop()
    store = Store.open(site_paths(Path(own_node.site)))
    try:
        keys = await store.read_keys(
            lambda db: [row[0] for row in db.execute("SELECT subject FROM subject_keys")]
        )
        session = await store.read(lambda db: db.execute("SELECT session FROM handoffs").fetchone()[0])
    finally:
        await store.close()
    assert (keys, session) == ([f"ticket:{ticket}"], "")
