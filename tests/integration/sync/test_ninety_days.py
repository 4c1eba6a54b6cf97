"""A whole node that hears nothing of its control plane for ninety days: it answers, keeps its rows, and comes back."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cloud_sync.services import ControlPlane
from cloud_sync.store.schema import gaps, records
from edge.config import site_paths
from edge.egress.ledger import reading
from tests.clocked_node import set_behind
from tests.contract.courier_process import until
from tests.integration.rollout_rig import LOOK_S, Asking, more_answers, people_ask, told
from tests.integration.sync.clocked import VALID, Clock, actions, clocked_cloud, mine
from tests.running import running, with_port

pytestmark = [pytest.mark.long, pytest.mark.models]

LIMIT_S = 1500
LEFT = timedelta(seconds=150)
"""Of the certificate's life when the node enrols: enough for all of it to start, on a busy machine too."""
DAY = timedelta(days=1)


@pytest.mark.timeout(LIMIT_S + 300)
async def test_it_answers_all_the_while_and_every_row_arrives_once(clinic: Path, tmp_path: Path) -> None:
    clock, paths, url = Clock(VALID - LEFT), site_paths(clinic), with_port(clinic)
    set_behind(clinic, clock.behind.total_seconds())
    cloud = clocked_cloud(tmp_path / "cloud", clock)
    async with asyncio.timeout(LIMIT_S):
        with ExitStack() as stack:
            async with cloud.serving() as plane:
                await cloud.enrol(plane, paths)
                old = mine(paths).enrolment
                stack.enter_context(running(clinic, clocked=True))
                await until(paths.admin_socket.exists)
                there = await all_arrived(plane, clinic)
            async with people_ask(url) as asking:
                await ninety_days_pass(clinic, clock, asking)
                while clock.unix_s() <= old.expires_unix_s:
                    await more_answers(asking)
                away = await told(clinic)
                assert not away["sync"]["connected"]
                assert away["outbox"]["rows"] > 0
                async with cloud.serving() as plane:
                    assert await all_arrived(plane, clinic) > there
                    await more_answers(asking)
                    assert await actions(plane, old.node_id) == [
                        "node.enrolled",
                        "certificate.reattested",
                        "certificate.used",
                    ]
            assert asking.wrong == []
            assert asking.answers > VALID.days
    assert reading.verify(paths.ledger).ok
    kinds = {leaf.fields.get("kind") for leaf in reading.read(paths.ledger) if leaf.type == "intent"}
    assert "renewal" not in kinds  # half the certificate's life was over, and nobody was there to be asked


async def ninety_days_pass(site: Path, clock: Clock, asking: Asking) -> None:
    """Each with somebody who asks; what the clocks say in the end is the machine's own time."""
    while clock.behind:
        clock.behind = max(clock.behind - DAY, timedelta())
        set_behind(site, clock.behind.total_seconds())
        await more_answers(asking, 1)


async def all_arrived(plane: ControlPlane, site: Path) -> int:
    """How many rows the control plane has: every one that the node has numbered, once, and none was given up."""
    while True:
        found = await told(site)
        newest = int(found["outbox"]["newest_sequence"])
        if found["sync"]["connected"] and not found["outbox"]["rows"]:
            break
        await asyncio.sleep(LOOK_S)
    sequences = await _all(plane, sa.select(records.c.seq).order_by(records.c.seq))
    assert sequences[:newest] == list(range(1, newest + 1))
    assert await _all(plane, sa.select(gaps.c.id)) == []
    return newest


async def _all(plane: ControlPlane, query: Any) -> list[Any]:
    return list(await plane.database.run(lambda db: db.execute(query).scalars().all()))
