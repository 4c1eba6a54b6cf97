"""Rollouts on a real store, with nodes that are told by their desired state and answer by outbox rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloud_sync.fleet.composing import UPDATES_MAX
from cloud_sync.fleet.leases import Lease, LeaseLost, Leases, LeaseTerms
from cloud_sync.fleet.rollouts.driver import Driver
from cloud_sync.fleet.rollouts.machine import RolloutState, SecondPerson
from cloud_sync.fleet.rollouts.service import UnknownRollout
from cloud_sync.fleet.rollouts.spec import InvalidRollout, Spec, parse_spec
from cloud_sync.store.assignments import Assignment
from cloud_sync.store.audit import audit_of
from cloud_sync.store.rollouts import save_rollout
from cloud_sync.store.schema import nodes
from tests.rollout_fleet import REFUSED, WRONG_BUT_HEALTHY, Fleet, fleet, node_row, publish

GATES = {"kept_min_percent": 90, "failed_max_percent": 2, "soak_s": 60, "patience_s": 3600}


def spec(version: str = "2.0", **fields: object) -> Spec:
    return parse_spec({"kind": "model", "name": "encoder", "version": version, "gates": GATES, **fields})


@pytest.fixture
async def fifty(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, "", [node_row(n) for n in range(50)], "ada", "bob") as found:
        yield found


@pytest.fixture
async def ten(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, "", [node_row(n) for n in range(10)], "ada", "bob") as found:
        yield found


@pytest.fixture
async def either(engine: str, tmp_path: Path) -> AsyncIterator[Fleet]:
    """Ten nodes, once on each engine."""
    async with fleet(tmp_path, engine, [node_row(n) for n in range(10)], "ada", "bob") as found:
        yield found


async def _to_the_end(found: Fleet) -> None:
    """Let waves pass, one soak after the other."""
    await found.settle()
    for _ in range(6):
        found.clock.pass_s(60)
        await found.settle()


async def test_a_good_version_reaches_every_node_wave_by_wave(fifty: Fleet) -> None:
    made = await fifty.rollouts.create(spec(), "ada")
    assert (made.state, [wave.nodes for wave in made.waves]) == ("scheduled", [3, 7, 20, 20])
    for told in (3, 10, 30, 50):
        await fifty.settle()
        assert len(fifty.told("2.0")) == told
        fifty.clock.pass_s(60)
    await fifty.settle()
    view = (await fifty.rollouts.show(made.id)).rollout
    assert (view.state, view.kept, view.failed, view.commands) == ("done", 50, 0, ("abort",))
    assert [wave.state for wave in view.waves] == ["passed"] * 4
    assert len(fifty.running("2.0")) == 50


async def test_a_wrong_but_healthy_model_never_leaves_the_canary(fifty: Fleet) -> None:
    for node in fifty.nodes.values():
        node.script = {"2.0": WRONG_BUT_HEALTHY}
    made = await fifty.rollouts.create(spec(), "ada")
    await _to_the_end(fifty)
    detail = await fifty.rollouts.show(made.id)
    canary = {node.node_id for node in detail.nodes if node.wave == 1}
    assert fifty.told("2.0") == canary
    assert len(canary) == 3
    assert fifty.running("2.0") == set()
    assert (detail.rollout.state, detail.rollout.reason) == ("stopped", "failures")
    assert {node.status for node in detail.nodes if node.wave == 1} == {"rolled_back"}
    assert {node.status for node in detail.nodes if node.wave > 1} == {"waiting"}
    # The alert is raised by this action.
    assert [row.subject for row in detail.audit if row.action == "rollout.stopped"] == [made.id]


async def test_a_stop_takes_the_version_back_from_those_that_had_kept_it(either: Fleet) -> None:
    await either.rollouts.create(spec("1.0"), "ada")
    await _to_the_end(either)
    assert len(either.running("1.0")) == 10
    made = await either.rollouts.create(spec(waves=(10, 50, 100)), "ada")
    plan = (await either.rollouts.show(made.id)).nodes
    bad = next(node.node_id for node in plan if node.wave == 2)
    either.nodes[bad].script = {"2.0": REFUSED}
    await _to_the_end(either)
    detail = await either.rollouts.show(made.id)
    assert detail.rollout.state == "stopped"
    assert len(either.told("2.0")) == 5
    # Each is told what it had before, and the one that refused it never changed.
    assert len(either.running("1.0")) == 10
    assert either.running("2.0") == set()
    by_status = {node.node_id: node.status for node in detail.nodes if node.wave < 3}
    assert by_status.pop(bad) == "failed"
    assert set(by_status.values()) == {"returned"}
    assert {node.before for node in detail.nodes} == {"1.0"}


async def test_nodes_go_back_to_what_they_said_they_ran_where_that_is_published(
    engine: str, tmp_path: Path
) -> None:
    ran = ["1.0", "0.9"] * 3
    async with fleet(tmp_path, engine, [node_row(n) for n in range(6)], "ada", "bob") as six:
        for node, version in zip(six.nodes.values(), ran, strict=True):
            node.runs["model", "encoder"] = version
            says = nodes.update().where(nodes.c.id == node.id)
            models = [{"name": "encoder", "version": version}]
            await six.database.run(lambda connection, say=says.values(models=models): connection.execute(say))
        made = await six.rollouts.create(spec(waves=(50, 100)), "ada")
        canary = {one.node_id for one in (await six.rollouts.show(made.id)).nodes if one.wave == 1}
        await six.rollouts.approve(made.id, "bob")
        await six.settle()
        assert six.running("2.0") == canary
        aborted = await six.rollouts.abort(made.id, "ada")
        unpublished = canary & {"n001", "n003", "n005"}
        assert 0 < len(unpublished) < len(canary)
        assert aborted.kept == len(unpublished)
        await six.settle()
        # 0.9 is not published here: whoever ran it keeps 2.0, and that is said.
        assert six.running("2.0") == unpublished
        assert six.running("1.0") == {"n000", "n002", "n004"}
        places = {
            one.node_id: one.status for one in (await six.rollouts.show(made.id)).nodes if one.wave == 1
        }
        assert places == {one: "kept" if one in unpublished else "returned" for one in canary}


async def test_one_that_cannot_be_driven_holds_up_no_other(
    either: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    bad = await either.rollouts.create(spec(groups=("default",)), "ada", draft=True)
    await either.database.run(lambda connection: publish(connection, "model/other/1.0"))
    good = await either.rollouts.create(
        parse_spec({"kind": "model", "name": "other", "version": "1.0", "gates": GATES}), "ada"
    )
    damaged = {"state": "scheduled", "spec": {"kind": "model"}}
    await either.database.run(lambda connection: save_rollout(connection, bad.id, damaged))
    for _ in range(3):
        await either.driver.drive()
    assert (await either.rollouts.show(good.id)).rollout.state == "running"
    # Said once, not every second.
    assert [record.__dict__["rollout"] for record in caplog.records] == [bad.id]
    assert [view.id for view in (await either.rollouts.list_rollouts()).rollouts] == [good.id]


async def test_failures_within_the_threshold_do_not_stop_it(fifty: Fleet) -> None:
    gates = GATES | {"failed_max_percent": 10, "kept_min_percent": 80}
    made = await fifty.rollouts.create(spec(gates=gates, waves=(20, 60, 100)), "ada")
    nodes = [node.node_id for node in (await fifty.rollouts.show(made.id)).nodes]
    fifty.nodes[nodes[0]].script = {"2.0": REFUSED}
    await _to_the_end(fifty)
    view = (await fifty.rollouts.show(made.id)).rollout
    assert (view.state, view.kept, view.failed) == ("done", 49, 1)


async def test_a_node_that_is_away_holds_up_its_wave_until_patience_ends(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(waves=(10, 50, 100)), "ada")
    (canary,) = [node.node_id for node in (await ten.rollouts.show(made.id)).nodes if node.wave == 1]
    ten.nodes[canary].online = False
    await ten.settle()
    ten.clock.pass_s(3599)
    await ten.settle()
    assert (await ten.rollouts.show(made.id)).rollout.state == "running"
    ten.clock.pass_s(1)
    await ten.settle()
    paused = (await ten.rollouts.show(made.id)).rollout
    assert (paused.state, paused.reason) == ("paused", "late")
    ten.nodes[canary].online = True
    await ten.rollouts.resume(made.id, "ada")
    await _to_the_end(ten)
    assert (await ten.rollouts.show(made.id)).rollout.state == "done"


async def test_pause_keeps_the_next_wave_back_and_abort_takes_it_back(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(waves=(10, 50, 100)), "ada")
    await ten.settle()
    await ten.rollouts.pause(made.id, "bob")
    await _to_the_end(ten)
    assert len(ten.told("2.0")) == 1
    await ten.rollouts.resume(made.id, "bob")
    await ten.settle()
    ten.clock.pass_s(60)
    await ten.settle()
    assert len(ten.told("2.0")) == 5
    aborted = await ten.rollouts.abort(made.id, "bob")
    assert aborted.state == "aborted"
    await _to_the_end(ten)
    assert len(ten.told("2.0")) == 5
    # They had nothing of the name before, and keep it until something else is wanted.
    assert [wave.kept for wave in aborted.waves] == [1, 4, 0]
    assert aborted.state_text == (
        "Aborted. 5 nodes keep it: what was there before is not known or not published here, "
        "or another version is wanted by now."
    )
    assert len(ten.running("2.0")) == 5
    with pytest.raises(RolloutState):
        await ten.rollouts.resume(made.id, "bob")


async def test_what_is_done_is_wanted_until_it_is_taken_back(either: Fleet) -> None:
    first = await either.rollouts.create(spec("1.0"), "ada")
    await _to_the_end(either)
    second = await either.rollouts.create(spec("2.0"), "ada")
    await _to_the_end(either)
    assert (await either.rollouts.show(second.id)).rollout.commands == ("abort",)
    aborted = await either.rollouts.abort(second.id, "bob")
    assert aborted.state == "aborted"
    await _to_the_end(either)
    assert len(either.running("1.0")) == 10
    assert {node.status for node in (await either.rollouts.show(second.id)).nodes} == {"returned"}
    assert (await either.rollouts.show(first.id)).rollout.state == "done"


async def test_taking_back_what_another_version_has_replaced_tells_nobody_anything(either: Fleet) -> None:
    first = await either.rollouts.create(spec("1.0"), "ada")
    await _to_the_end(either)
    await either.rollouts.create(spec("2.0"), "ada")
    await _to_the_end(either)
    aborted = await either.rollouts.abort(first.id, "bob")
    await _to_the_end(either)
    assert len(either.running("2.0")) == 10
    assert sum(wave.returned for wave in aborted.waves) == 0
    assert "another version is wanted by now" in aborted.state_text


async def test_a_risky_one_waits_for_a_second_person(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(waves=(100,)), "ada")
    assert (made.state, [risk.code for risk in made.risks]) == ("awaiting_approval", ["no_canary", "broad"])
    await ten.settle()
    assert ten.told("2.0") == set()
    for actor in ("ada", "command line", "mallory"):
        with pytest.raises(SecondPerson):
            await ten.rollouts.approve(made.id, actor)
    approved = await ten.rollouts.approve(made.id, "bob")
    assert approved.state == "scheduled"
    assert [one.admin for one in (await ten.rollouts.show(made.id)).approvals] == ["bob"]
    with pytest.raises(RolloutState):
        await ten.rollouts.approve(made.id, "bob")
    await ten.settle()
    assert len(ten.told("2.0")) == 10


async def test_what_the_command_line_made_takes_two_admins(either: Fleet) -> None:
    made = await either.rollouts.create(spec(waves=(100,)), "command line")
    assert (await either.rollouts.approve(made.id, "ada")).state == "awaiting_approval"
    with pytest.raises(SecondPerson, match="already"):
        await either.rollouts.approve(made.id, "ada")
    assert (await either.rollouts.approve(made.id, "bob")).state == "scheduled"


async def test_it_begins_when_it_is_due(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(starts_at="2026-03-01T12:00:30Z"), "ada")
    await ten.settle()
    assert ten.told("2.0") == set()
    ten.clock.pass_s(29.999)
    await ten.settle()
    assert ten.told("2.0") == set()
    ten.clock.pass_s(0.001)
    await ten.settle()
    assert len(ten.told("2.0")) == 1
    assert (await ten.rollouts.show(made.id)).rollout.state == "running"


async def test_a_draft_does_nothing_until_it_is_submitted(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(), "ada", draft=True)
    await ten.settle()
    assert ten.told("2.0") == set()
    await ten.rollouts.submit(made.id, "ada")
    await ten.settle()
    assert len(ten.told("2.0")) == 1


async def test_a_dry_run_changes_nothing_and_is_what_happens(ten: Fleet) -> None:
    plan = await ten.rollouts.plan(spec())
    assert (len(plan.changes), plan.sizes, plan.left) == (10, (1, 1, 4, 4), ())
    assert (await ten.rollouts.list_rollouts()).total == 0
    made = await ten.rollouts.create(spec(), "ada")
    # The very nodes of each wave that the dry run had shown.
    nodes = (await ten.rollouts.show(made.id)).nodes
    assert {(node.node_id, node.wave - 1) for node in nodes} == {
        (change.node_id, change.wave) for change in plan.changes
    }
    held = await ten.rollouts.plan(spec("3.0"))
    assert {left.reason for left in held.left} == {"held"}
    with pytest.raises(InvalidRollout, match="No node"):
        await ten.rollouts.create(spec("3.0"), "ada")


async def test_only_what_is_published_is_rolled_out(ten: Fleet) -> None:
    with pytest.raises(InvalidRollout, match="not published"):
        await ten.rollouts.plan(spec("404"))
    with pytest.raises(InvalidRollout, match="not published"):
        await ten.rollouts.create(spec("404"), "ada")


async def test_a_node_that_is_revoked_on_the_way_is_not_waited_for(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(waves=(20, 60, 100)), "ada")
    canary = [node.node_id for node in (await ten.rollouts.show(made.id)).nodes if node.wave == 1]
    ten.nodes[canary[0]].online = False
    await ten.settle()
    assert len(ten.told("2.0")) == 1
    await ten.steering.revoke(canary[0], "ada")
    del ten.nodes[canary[0]]
    await _to_the_end(ten)
    view = (await ten.rollouts.show(made.id)).rollout
    assert (view.state, view.nodes, view.kept) == ("done", 9, 9)


async def test_a_node_that_takes_no_more_pauses_the_wave(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(), "ada")
    (canary,) = [node.node_id for node in (await ten.rollouts.show(made.id)).nodes if node.wave == 1]
    wanted = [
        Assignment(canary, "knowledge", f"k{n}", "1", f"knowledge/k{n}/1", "other", 1)
        for n in range(UPDATES_MAX)
    ]
    await ten.database.run(lambda connection: ten.steering.assign(connection, wanted))
    await ten.driver.drive()
    view = (await ten.rollouts.show(made.id)).rollout
    assert (view.state, view.reason, view.wave) == ("paused", "full", 0)


async def test_rows_of_rollouts_that_are_not_the_nodes_have_no_effect(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(), "ada")
    update = {"rollout": made.id, "kind": "model", "name": "encoder", "version": "2.0"}
    node = ten.nodes["n000"]
    before = await ten.rollouts.show(made.id)
    await ten.report(node, update, ("keep done",))  # its wave has not begun
    await ten.report(node, update | {"rollout": "elsewhere"}, ("gate failed",))
    assert await ten.rollouts.show(made.id) == before


async def test_what_a_node_measured_is_shown(either: Fleet) -> None:
    made = await either.rollouts.create(spec(), "ada")
    await either.settle()
    detail = await either.rollouts.show(made.id, status="kept")
    assert len(detail.nodes) == 1
    assert 990 <= detail.nodes[0].figures["golden_permille"] <= 999
    (place,) = await either.rollouts.of_node(detail.nodes[0].node_id)
    assert (place.rollout_id, place.node.status) == (made.id, "kept")
    assert await either.rollouts.of_node("nobody") == ()


async def test_pages_of_nodes_do_not_overlap(fifty: Fleet) -> None:
    made = await fifty.rollouts.create(spec(), "ada")
    pages = [(await fifty.rollouts.show(made.id, first=first, nodes_max=20)).nodes for first in (0, 20, 40)]
    assert [len(page) for page in pages] == [20, 20, 10]
    assert len({node.node_id for page in pages for node in page}) == 50


async def test_nodes_of_one_status_are_counted_by_themselves(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(), "ada")
    await ten.settle()
    for status, number in (("kept", 1), ("waiting", 9), ("failed", 0), (None, 10)):
        detail = await ten.rollouts.show(made.id, nodes_max=4, status=status)
        assert (detail.nodes_total, len(detail.nodes)) == (number, min(4, number)), status


async def test_the_list_comes_in_pages(ten: Fleet) -> None:
    made = []
    for number in range(5):
        ten.clock.pass_s(1)
        name = f"m{number}"
        await ten.database.run(lambda connection, name=name: publish(connection, f"model/{name}/1.0"))
        made.append((await ten.rollouts.create(spec("1.0", name=name), "ada", draft=True)).id)
    for first, expected in ((0, made[:2:-1]), (2, made[2:0:-1]), (4, made[:1]), (5, [])):
        page = await ten.rollouts.list_rollouts(first=first, rows_max=2)
        assert (page.total, [one.id for one in page.rollouts]) == (5, expected)


async def test_unknown_ones_are_said_and_states_are_counted(ten: Fleet) -> None:
    for call in (ten.rollouts.show("r"), ten.rollouts.pause("r", "ada"), ten.rollouts.approve("r", "ada")):
        with pytest.raises(UnknownRollout):
            await call
    await ten.rollouts.create(spec(), "ada", draft=True)
    states = await ten.rollouts.states()
    assert (states["draft"], sum(states.values())) == (1, 1)


async def test_two_that_drive_at_once_begin_a_wave_once(either: Fleet) -> None:
    made = await either.rollouts.create(spec(), "ada")
    moves = await asyncio.gather(*(either.driver.drive() for _ in range(4)))
    assert sum(moves) == 1
    rows = await either.database.run(lambda connection: audit_of(connection, made.id, 50))
    assert [row.action for row in rows] == ["rollout.running", "rollout.scheduled", "rollout.created"]


async def test_when_the_replica_that_drives_is_gone_another_goes_on(either: Fleet) -> None:
    terms = LeaseTerms(length_s=0.6, renew_s=0.1, retry_s=0.05, stop_s=0.1)
    replicas = [Driver(either.database, either.steering, either.clock) for _ in range(2)]
    leases = [Leases(either.database, terms) for _ in replicas]
    driving = [
        asyncio.create_task(lease.keep("rollouts", replica.keep_driving))
        for lease, replica in zip(leases, replicas, strict=True)
    ]
    made = await either.rollouts.create(spec(waves=(10, 50, 100), gates=GATES | {"soak_s": 0}), "ada")
    async with asyncio.timeout(20):
        while len(either.told("2.0")) < 1:
            await either.act()
            await asyncio.sleep(0.02)
        driving[0].cancel()  # whichever of them drives: the other goes on
        while (await either.rollouts.show(made.id)).rollout.state != "done":
            await either.act()
            await asyncio.sleep(0.02)
    driving[1].cancel()
    assert len(either.told("2.0")) == 10
    rows = (await either.rollouts.show(made.id)).audit
    assert [row.action for row in rows].count("rollout.running") == 3


async def test_a_driver_whose_lease_is_lost_moves_nothing(ten: Fleet) -> None:
    made = await ten.rollouts.create(spec(), "ada")
    with pytest.raises(LeaseLost):
        await ten.driver.drive(Lease("rollouts", "nobody"))
    assert (await ten.rollouts.show(made.id)).rollout.state == "scheduled"
