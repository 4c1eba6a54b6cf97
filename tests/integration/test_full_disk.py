"""A running node whose files may not grow any more, as on a full disk: it answers on, says so, and mends by itself.

The kernel refuses the writes (RLIMIT_FSIZE of the running process, set from outside); the node's own code is as ever.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.running import Customer, RunningNode, command

pytestmark = [pytest.mark.models, pytest.mark.long]

QUESTION = "When is the clinic open on Saturday?"
# Sixty times the pause between two looks at the store.
WAIT_S = 300.0
LOOK_AGAIN_S = 0.5


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """No file of that process can grow."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


async def status_of(node: RunningNode) -> dict[str, Any]:
    told = await command("status", "--site", str(node.site), "--json")
    return dict(told)


async def test_a_full_disk_is_answered_through_and_told(own_node: RunningNode) -> None:
    async with Customer.at(own_node.url) as before:
        assert (await before.ask(QUESTION))["recorded"] is True
        with full_disk(own_node.pid_of("node")):
            answer = await before.ask(QUESTION)
            assert (answer["route"], answer["recorded"]) == ("answer", False)
            async with Customer.at(own_node.url) as newcomer:
                final = (await newcomer.stream(QUESTION))[-1]
                assert (final[0], final[1]["recorded"]) == ("final", False)
                status, _ = await newcomer.send("DELETE", f"/api/v1/sessions/{newcomer.session_id}")
                assert status == 204
            told = await status_of(own_node)
            assert "records:store_unwritable" in told["fallbacks"]
            assert told["unrecorded"] == {"turns": 2, "conversations": 1, "consents": 0}
        async with asyncio.timeout(WAIT_S):
            while "records:store_unwritable" in (await status_of(own_node))["fallbacks"]:
                await asyncio.sleep(LOOK_AGAIN_S)
        assert (await before.ask(QUESTION))["recorded"] is True
    found = await command("audit", "list", "--site", str(own_node.site), "--action", "store.gap", "--json")
    assert "2 turns, 1 conversations, 0 consents" in str(found)
