"""What a node's page says of what it applied: never more than the control plane can know."""

from __future__ import annotations

from pathlib import Path

from cloud_sync.fleet.overview import Overview
from cloud_sync.fleet.presence import Presence
from cloud_sync.store.schema import nodes
from tests.rollout_fleet import Fleet, fleet, node_row


async def _applied(found: Fleet, generation: int) -> None:
    told = nodes.update().where(nodes.c.id == "n000").values(applied_generation=generation)
    await found.database.run(lambda connection: connection.execute(told))


async def test_what_a_moved_node_applied_is_not_known_until_it_says(tmp_path: Path) -> None:
    async with fleet(tmp_path, "", [node_row(0)]) as found:
        overview = Overview(found.database, Presence(found.database), found.clock)
        await found.steering.set_for_group("b", b'{"limit":2}', "test")
        first = await found.steering.set_for_group("default", b'{"limit":1}', "test")
        await _applied(found, first.generation)
        history = await overview.history("n000")
        assert (history.applied_known, [one.same for one in history.fields]) == (True, [True])
        await found.steering.move("n000", "b", "test")
        # Its group's document of that time was another one.
        history = await overview.history("n000")
        assert (history.applied_known, [one.same for one in history.fields]) == (False, [False])
        await _applied(found, first.generation + 1)
        history = await overview.history("n000")
        assert (history.applied_known, [one.same for one in history.fields]) == (True, [True])


async def test_a_node_that_applied_nothing_is_known_to_have_nothing(tmp_path: Path) -> None:
    async with fleet(tmp_path, "", [node_row(0)]) as found:
        await found.steering.set_for_group("default", b'{"limit":1}', "test")
        history = await Overview(found.database, Presence(found.database), found.clock).history("n000")
        assert (history.applied_known, [one.same for one in history.fields]) == (True, [False])
