"""Who gets a version in which wave, and what makes a rollout risky: as tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from cloud_sync.fleet.composing import UPDATES_MAX
from cloud_sync.fleet.rollouts.plan import (
    Candidate,
    in_order,
    make_plan,
    risks_of,
    wave_sizes,
)
from cloud_sync.fleet.rollouts.spec import WAVES_MAX, InvalidRollout, Spec, parse_spec, selected

MODEL: dict[str, object] = {"kind": "model", "name": "encoder", "version": "2.0"}
NODE = Candidate("n0", "St. Anna", "St. Anna 1", "default", {}, True, True, "1.0", "", 0)


def _fleet(nodes: int, **fields: object) -> list[Candidate]:
    return [replace(NODE, id=f"n{number}", **fields) for number in range(nodes)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodes", "shares", "sizes"),
    [
        (0, (5, 100), ()),
        (1, (5, 100), (1,)),
        (2, (5, 100), (1, 1)),
        (2, (5, 20, 60, 100), (1, 1)),
        (50, (5, 20, 60, 100), (3, 7, 20, 20)),
        (50, (100,), (50,)),
        (1000, (5, 20, 60, 100), (50, 150, 400, 400)),
        (3, (1, 2, 3, 100), (1, 2)),
    ],
)
def test_waves_divide_all_nodes(nodes: int, shares: tuple[int, ...], sizes: tuple[int, ...]) -> None:
    assert wave_sizes(nodes, shares) == sizes
    assert sum(sizes) == nodes


@pytest.mark.parametrize(
    ("selectors", "labels", "holds"),
    [
        ((), {}, True),
        (("chip",), {"chip": "npu"}, True),
        (("chip",), {}, False),
        (("!chip",), {}, True),
        (("!chip",), {"chip": "npu"}, False),
        (("chip=npu",), {"chip": "npu"}, True),
        (("chip=npu",), {"chip": "gpu"}, False),
        (("chip!=npu",), {"chip": "gpu"}, True),
        (("chip!=npu",), {}, True),
        (("chip!=npu",), {"chip": "npu"}, False),
        (("chip=npu", "city=bonn"), {"chip": "npu", "city": "bonn"}, True),
        (("chip=npu", "city=bonn"), {"chip": "npu"}, False),
        (("chip=",), {"chip": ""}, True),
    ],
)
def test_selectors(selectors: tuple[str, ...], labels: dict[str, str], holds: bool) -> None:
    assert selected(selectors, labels) is holds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "script"),
        ("name", "Encoder"),
        ("name", "../etc"),
        ("version", "v1"),
        ("waves", ()),
        ("waves", (0, 100)),
        ("waves", (5, 5, 100)),
        ("waves", (20, 5, 100)),
        ("waves", (5, 99)),
        ("waves", (*range(1, WAVES_MAX + 1), 100)),
        ("labels", ("!a=b",)),
        ("labels", ("",)),
        ("labels", ("a b",)),
        ("watch_s", 0),
        ("starts_at", "2026-03-01T12:00:00"),
        ("gates", {"kept_min_percent": 0}),
        ("gates", {"failed_max_percent": 101}),
        ("command", "reboot"),
    ],
)
def test_what_cannot_be_rolled_out_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidRollout, match=field):
        parse_spec(MODEL | {field: value})


def test_the_limits_of_a_rollout_are_inclusive() -> None:
    most = (*range(1, WAVES_MAX), 100)
    assert (
        parse_spec(MODEL | {"waves": most, "watch_s": 1, "starts_at": "2026-03-01T12:00:00Z"}).waves == most
    )
    assert parse_spec(MODEL).target == "model/encoder/2.0"


def test_a_spec_survives_its_json() -> None:
    spec = parse_spec(MODEL | {"labels": ("chip=npu",), "starts_at": "2026-03-01T12:00:00Z"})
    assert Spec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (replace(NODE, active=False), "revoked"),
        (replace(NODE, assigned="2.0"), "current"),
        (replace(NODE, assigned="1.0", held_by="model-1"), "held"),
        (replace(NODE, assignments=UPDATES_MAX), "full"),
        (replace(NODE, assignments=UPDATES_MAX - 1), ""),
        (replace(NODE, assigned="1.0", assignments=UPDATES_MAX), ""),  # in place of what it has
        (replace(NODE, runs="2.0"), ""),  # says so itself, and nobody wanted it: to be made certain
    ],
)
def test_who_is_left_as_it_is(node: Candidate, reason: str) -> None:
    plan = make_plan(parse_spec(MODEL), "seed", [node])
    assert [one.reason for one in plan.left] == ([reason] if reason else [])
    assert len(plan.changes) == (0 if reason else 1)


def test_a_target_is_groups_and_labels() -> None:
    fleet = [
        replace(NODE, id="a", group="north", labels={"chip": "npu"}),
        replace(NODE, id="b", group="north"),
        replace(NODE, id="c", group="south", labels={"chip": "npu"}),
    ]
    plan = make_plan(parse_spec(MODEL | {"groups": ("north",), "labels": ("chip=npu",)}), "s", fleet)
    assert [change.node_id for change in plan.changes] == ["a"]
    assert plan.left == ()  # nodes that the target does not name are no news


def test_the_canary_answers_now_and_is_of_every_group() -> None:
    fleet = _fleet(20, live=False)
    fleet += [replace(NODE, id=f"g{number}", group=f"group-{number % 3}") for number in range(30)]
    plan = make_plan(parse_spec(MODEL | {"waves": (6, 100)}), "seed", fleet)
    canary = [change for change in plan.changes if change.wave == 0]
    assert Counter(change.group for change in canary) == {"group-0": 1, "group-1": 1, "group-2": 1}
    assert all(change.live for change in canary)
    assert {change.live for change in plan.changes if change.wave == 1} == {True, False}


def test_the_order_is_by_chance_but_always_the_same() -> None:
    fleet = _fleet(50)
    first = [node.id for node in in_order(fleet, "a")]
    assert first == [node.id for node in in_order(reversed(fleet), "a")]
    assert first != [node.id for node in in_order(fleet, "b")]
    assert sorted(first) == sorted(node.id for node in fleet)


@pytest.mark.parametrize(
    ("kind", "sizes", "fleet", "codes"),
    [
        ("model", (3, 7, 20, 20), 50, []),
        ("model", (10, 20, 20), 50, []),  # a fifth is still a canary
        ("model", (11, 20, 19), 50, ["no_canary"]),
        ("model", (5, 25, 20), 50, []),  # half of the fleet is still a step
        ("model", (5, 26, 19), 50, ["broad"]),
        ("model", (50,), 50, ["no_canary", "broad"]),
        ("model", (1,), 1, []),
        ("model", (1, 1), 2, []),
        ("model", (2,), 2, ["no_canary", "broad"]),
        ("knowledge", (5, 45), 1000, []),
        ("software", (3, 7, 20, 20), 50, ["software"]),
        ("policy", (3, 7, 20, 20), 50, ["policy"]),
        ("model", (), 50, []),
    ],
)
def test_what_needs_a_second_person(kind: str, sizes: tuple[int, ...], fleet: int, codes: list[str]) -> None:
    assert [risk.code for risk in risks_of(parse_spec(MODEL | {"kind": kind}), sizes, fleet)] == codes


def test_revoked_nodes_are_no_part_of_the_fleet_that_a_step_is_measured_by() -> None:
    fleet = _fleet(100)[:10] + [replace(node, active=False) for node in _fleet(100)[10:]]
    plan = make_plan(parse_spec(MODEL | {"waves": (10, 100)}), "s", fleet)
    assert plan.sizes == (1, 9)
    assert [risk.code for risk in plan.risks] == ["broad"]


def test_a_plan_of_nobody_is_empty() -> None:
    plan = make_plan(parse_spec(MODEL | {"groups": ("nowhere",)}), "s", _fleet(3))
    assert (plan.changes, plan.sizes, plan.risks) == ((), (), ())


def test_a_plan_says_what_each_node_has_before_and_after() -> None:
    (change,) = make_plan(parse_spec(MODEL), "s", [NODE]).changes
    assert (change.before, change.after) == ("1.0", "2.0")
