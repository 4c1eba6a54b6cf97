"""What a node's steps mean for its place in a rollout: as a table."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime

import pytest

from cloud_sync.fleet.rollouts.reports import NodeStatus, StepReport, read_step, status_after
from cloud_sync.store.streams import RecordRow
from edge.egress.records.schemas import Count, UpdateStep
from edge.updates.installer import Figures

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEP = {
    "rollout": "r-1",
    "kind": "model",
    "name": "encoder",
    "version": "2.0",
    "step": "gate",
    "outcome": "done",
}


def _row(payload: object, kind: str = "update.step") -> RecordRow:
    return RecordRow(1, 1, kind, json.dumps(payload).encode(), NOW)


@pytest.mark.parametrize(
    ("status", "step", "outcome", "after"),
    [
        ("told", "fetch", "begun", "working"),
        ("working", "gate", "done", "working"),
        ("told", "fetch", "failed", "failed"),
        ("working", "verify", "failed", "failed"),
        ("working", "gate", "failed", "failed"),
        ("working", "watch", "failed", "failed"),
        ("failed", "roll_back", "begun", "failed"),
        ("failed", "roll_back", "done", "rolled_back"),
        ("working", "roll_back", "begun", "failed"),
        ("working", "roll_back", "done", "rolled_back"),
        ("working", "roll_back", "failed", "failed"),
        ("working", "keep", "begun", "working"),
        ("working", "keep", "done", "kept"),
        # A node that kept and goes back later counts.
        ("kept", "roll_back", "done", "rolled_back"),
        ("kept", "fetch", "begun", "kept"),
        # What failed has failed, though the node tries again by itself.
        ("failed", "fetch", "begun", "failed"),
        ("failed", "keep", "done", "failed"),
        ("rolled_back", "fetch", "begun", "rolled_back"),
        ("rolled_back", "keep", "done", "rolled_back"),
        # The rollout was withdrawn.
        ("returning", "watch", "done", "returning"),
        ("returning", "keep", "done", "returning"),
        ("returning", "roll_back", "begun", "returning"),
        ("returning", "roll_back", "done", "returned"),
        ("returned", "keep", "done", "returned"),
        ("returning", "gate", "failed", "returned"),  # it had changed nothing yet
        ("returning", "watch", "failed", "returning"),
        # A step of a newer node.
        ("told", "rehearse", "done", "working"),
        ("working", "rehearse", "failed", "failed"),
    ],
)
def test_where_a_node_is_after_a_step(status: str, step: str, outcome: str, after: str) -> None:
    report = read_step(_row(STEP | {"step": step, "outcome": outcome}))
    assert report is not None
    assert status_after(NodeStatus(status), report) is NodeStatus(after)


@pytest.mark.parametrize(
    ("reason", "step", "outcome", "after"),
    [
        ("damaged", "fetch", "begun", "working"),
        ("damaged", "fetch", "done", "failed"),
        ("damaged", "gate", "begun", "failed"),
        ("golden", "fetch", "begun", "failed"),
        ("trust_refused", "fetch", "done", "working"),
        ("trust_refused", "activate", "done", "working"),
        ("trust_refused", "activate", "failed", "failed"),
    ],
)
def test_what_came_damaged_or_was_signed_wrongly_is_tried_again(
    reason: str, step: str, outcome: str, after: str
) -> None:
    report = read_step(_row(STEP | {"step": step, "outcome": outcome}))
    assert report is not None
    assert status_after(NodeStatus.FAILED, report, reason) is NodeStatus(after)


def test_what_a_site_takes_off_is_no_failure_of_the_version() -> None:
    report = read_step(_row(STEP | {"step": "roll_back", "outcome": "done", "reason": "removed"}))
    assert report is not None
    assert status_after(NodeStatus.KEPT, report) is NodeStatus.RETURNED


def test_figures_are_those_that_a_row_says() -> None:
    report = StepReport.model_validate(STEP | {"golden_permille": 0, "latency_us": 900})
    assert report.figures() == {"golden_permille": 0, "latency_us": 900}


def test_every_figure_that_a_node_tells_is_kept() -> None:
    """And nothing else: what is no number is no figure."""
    told = {name for name, each in UpdateStep.model_fields.items() if each.annotation == Count | None}
    report = StepReport.model_validate(STEP | dict.fromkeys(told, 7))
    assert report.figures() == dict.fromkeys(told, 7)
    assert {each.name for each in fields(Figures)} <= told


@pytest.mark.parametrize(
    "payload",
    [
        [],
        "text",
        {},
        STEP | {"rollout": "../r"},
        STEP | {"outcome": "maybe"},
        STEP | {"step": "GATE"},
        STEP | {"golden_permille": -1},
        STEP | {"bytes_fetched": 10**15 + 1},
        STEP | {"latency_us": "9"},
    ],
)
def test_rows_that_are_not_well_formed_have_no_effect(payload: object) -> None:
    assert read_step(_row(payload)) is None


def test_rows_of_other_kinds_have_none_either_and_newer_fields_are_let_be() -> None:
    assert read_step(_row(STEP, kind="model.active")) is None
    assert read_step(_row(STEP | {"colour": "red"})) is not None
