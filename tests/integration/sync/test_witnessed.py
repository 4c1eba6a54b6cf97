"""A ledger that somebody with root puts back, cuts off or rewrites is found by the next witness, and stops.

Control plane, courier and node's sync half, all real, in this process.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_sync.services import ControlPlane
from edge import metrics
from edge.egress.courier import witnessing
from edge.egress.ledger import reading
from edge.egress.ledger.anew import set_aside
from edge.egress.ledger.memory import recall
from edge.egress.ledger.notes import Verifier, cosigned_s
from edge.paths import SitePaths
from edge.store.plain import connect_plain
from tests.contract.courier_process import until
from tests.integration.sync.clocked import Clock, actions, clocked_cloud, mine
from tests.integration.sync.rig import connected, courier_and_node

pytestmark = pytest.mark.proves("record-of-egress")
REFUSALS = {"rolled_back", "split_view", "inconsistent"}


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnessing, "EVERY_S", 0.05)


async def signed(plane: ControlPlane, paths: SitePaths) -> tuple[str, int]:
    """The node's newest ledger, and how much of it the control plane signed."""
    ledgers = await plane.overview.ledgers_of(mine(paths).enrolment.node_id)
    return (ledgers[0].origin, ledgers[0].size) if ledgers else ("", 0)


async def runs(plane: ControlPlane, paths: SitePaths) -> tuple[str, int]:
    """The courier runs until more of its ledger is signed."""
    before = await signed(plane, paths)
    async with courier_and_node(paths) as node:
        await connected(node)

        async def more() -> bool:
            return await signed(plane, paths) != before

        await until(more)
    return await signed(plane, paths)


def copied(paths: SitePaths, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(paths.courier, target)


def an_image_is_put_back(paths: SitePaths, image: Path) -> None:
    """All of the folder, what it remembers of the witness too."""
    shutil.rmtree(paths.courier)
    shutil.copytree(image, paths.courier)


def a_file_is_rolled_back(paths: SitePaths, image: Path) -> None:
    """The ledger, and what is remembered beside it: else the courier itself found it."""
    paths.witness_memory.unlink()
    for file in paths.courier.glob("ledger.db*"):
        file.unlink()
    shutil.copy(image / "ledger.db", paths.ledger)


def its_end_is_cut_off(paths: SitePaths, image: Path) -> None:
    with closing(connect_plain(paths.ledger)) as db:
        # What came after the last signature nobody has seen: that could go without a trace.
        signed_size = recall(paths.witness_memory).size
        db.execute("DELETE FROM leaves WHERE number >= ?", [signed_size - 1])
        db.execute("DELETE FROM checkpoints")
        db.execute("DELETE FROM open")
    paths.witness_memory.unlink()


def a_leaf_is_rewritten(paths: SitePaths, image: Path) -> None:
    """And all that its own key has signed of it is gone: the tree is made anew of what is there."""
    with closing(connect_plain(paths.ledger)) as db:
        (entry,) = db.execute("SELECT entry FROM leaves WHERE number = 1").fetchone()
        other = entry.replace(b"127.0.0.1", b"127.0.0.2")
        assert other != entry
        db.execute("UPDATE leaves SET entry = ? WHERE number = 1", [other])
        db.execute("DELETE FROM checkpoints")
    paths.witness_memory.unlink()


@pytest.mark.long
@pytest.mark.parametrize(
    "tamper", [an_image_is_put_back, a_file_is_rolled_back, its_end_is_cut_off, a_leaf_is_rewritten]
)
async def test_the_next_witness_finds_it(
    paths: SitePaths, tmp_path: Path, tamper: Callable[[SitePaths, Path], None]
) -> None:
    cloud, image = clocked_cloud(tmp_path / "cloud", Clock()), tmp_path / "image"
    async with cloud.serving() as plane:
        await cloud.enrol(plane, paths)
        node_id = mine(paths).enrolment.node_id
        await runs(plane, paths)
        copied(paths, image)
        kept = await runs(plane, paths)
        tamper(paths, image)
        async with courier_and_node(paths) as node:
            await until(lambda: recall(paths.witness_memory).refused in REFUSALS)
            await until(lambda: node.sync.status().last_error == "link_witness_refused")
            assert "ledger:witness_refused" in metrics.fallbacks()
        assert await signed(plane, paths) == kept
        assert (await actions(plane, node_id))[-1] == "ledger.refused"
        await plane.watch.look(lambda _: None)
        assert "ledger_refused" in {alert.kind for alert in await plane.alerts.list()}

        old = set_aside(paths, datetime.now(UTC))
        assert old.exists()
        await runs(plane, paths)
        assert (await actions(plane, node_id))[-1] == "ledger.anew"
        (begin, *_) = reading.read(paths.ledger)
        assert begin.fields["previous"]


@pytest.mark.long
async def test_showing_the_ledger_does_not_make_it_grow(paths: SitePaths, tmp_path: Path) -> None:
    cloud = clocked_cloud(tmp_path / "cloud", Clock())
    async with cloud.serving() as plane:
        await cloud.enrol(plane, paths)
        await runs(plane, paths)
    leaves = [leaf for leaf in reading.read(paths.ledger) if leaf.fields.get("kind") == "AddCheckpoint"]
    assert leaves == []
    closed = [leaf for leaf in reading.read(paths.ledger) if leaf.type == "link_close"]
    assert closed[-1].fields["frames"] > 1
    witness = Verifier.parse(recall(paths.witness_memory).vkey)
    with reading._rows(paths.ledger) as rows:
        assert any(cosigned_s(reading.Note.parse(note), witness) for _, note in rows.checkpoints())
