"""The courier's folder, keys and all, copied to another machine: who notices. What ends it: `test_replacing.py`.

Control plane, both couriers and both nodes' sync halves, all real, in this process.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge.egress.courier import witnessing
from edge.egress.ledger.memory import recall
from edge.paths import SitePaths
from edge.store import audit
from edge.store.audit import AuditFilter
from tests.contract.courier_process import until
from tests.integration.sync.clocked import Clock, actions, clocked_cloud, mine
from tests.integration.sync.rig import Node, connected, courier_and_node

REFUSALS = {"rolled_back", "split_view", "inconsistent"}


async def refused(node: Node, reason: str) -> bool:
    rows = await node.store.read(lambda db: audit.search(db, AuditFilter(action="link.refused"), 10))
    return reason in {row.object for row in rows}


@pytest.mark.long
@pytest.mark.proves("record-of-egress")
async def test_two_machines_with_one_key_are_told_and_one_is_stopped(
    paths: SitePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnessing, "EVERY_S", 0.05)
    thiefs = SitePaths(tmp_path / "thief")
    thiefs.root.mkdir()
    cloud = clocked_cloud(tmp_path / "cloud", Clock())
    async with cloud.serving() as plane:
        await cloud.enrol(plane, paths)
        node_id = mine(paths).enrolment.node_id
        shutil.copytree(paths.courier, thiefs.courier)
        async with courier_and_node(paths) as owner:
            await connected(owner)
            await until(lambda: recall(paths.witness_memory).size > 0)
            async with courier_and_node(thiefs):
                await until(lambda: refused(owner, "replaced"))
                await until(
                    lambda: (
                        REFUSALS
                        & {recall(paths.witness_memory).refused, recall(thiefs.witness_memory).refused}
                    )
                )
        assert "ledger.refused" in await actions(plane, node_id)
        await plane.watch.look(lambda _: None)
        assert "ledger_refused" in {alert.kind for alert in await plane.alerts.list()}
