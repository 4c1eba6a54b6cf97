"""The rules of failing over: deadlines, pauses, what is an answer, what an error means."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from edge.inference.bounded import NORM_TOLERANCE, check_answer
from edge.inference.failover import DEADLINE_FACTOR, PACE, deadline_s, known_batch, pause_s
from edge.inference.loss import PlacementFailed, Reason, known_reason, reason_of, told
from models.errors import RuntimeUnavailable


@pytest.mark.parametrize(
    ("seconds_per_cell", "cells", "expected"),
    [
        (0.0, 64, PACE.deadline_s_max),
        (1e-9, 64, PACE.deadline_s_min),
        (PACE.deadline_s_min / DEADLINE_FACTOR, 1, PACE.deadline_s_min),
        (0.001, 40, 0.4),
        (PACE.deadline_s_max / DEADLINE_FACTOR, 1, PACE.deadline_s_max),
        (1.0, 4096, PACE.deadline_s_max),
    ],
)
def test_a_deadline_is_ten_times_the_usual_within_bounds(
    seconds_per_cell: float, cells: int, expected: float
) -> None:
    assert deadline_s(seconds_per_cell, cells, PACE) == pytest.approx(expected)


def test_work_moves_on_within_a_second() -> None:
    assert PACE.deadline_s_max < 1.0


def test_pauses_double_to_their_bound_and_are_spread() -> None:
    middles = [pause_s(failures, 0.5, PACE) for failures in range(8)]
    assert middles[:3] == [1.0, 2.0, 4.0]
    assert middles[-1] == PACE.return_s_max
    assert pause_s(10**6, 0.5, PACE) == PACE.return_s_max
    assert (pause_s(0, 0.0, PACE), pause_s(0, 0.999, PACE)) == pytest.approx((0.5, 1.5), abs=0.01)


def unit(rows: int = 2) -> np.ndarray:
    return np.full((rows, 4), 0.5, np.float32)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_none_is_noticed_wherever_it_stands(bad: float) -> None:
    vectors, states = unit(), np.zeros((2, 3, 4), np.float32)
    check_answer(vectors, states, 2)
    states[1, 2, 3] = bad
    check_answer(vectors, None, 2)
    with pytest.raises(PlacementFailed) as caught:
        check_answer(vectors, states, 2)
    assert caught.value.reason == "nan"
    vectors[1, 0] = bad
    with pytest.raises(PlacementFailed) as caught:
        check_answer(vectors, None, 2)
    assert caught.value.reason == "nan"


@pytest.mark.parametrize(
    ("scale", "fine"),
    [
        (1.0, True),
        (1.0 + 0.9 * NORM_TOLERANCE, True),
        (1.0 + 1.1 * NORM_TOLERANCE, False),
        (1.0 - 1.1 * NORM_TOLERANCE, False),
        (0.0, False),
    ],
)
def test_an_embedding_has_norm_one(scale: float, fine: bool) -> None:
    if fine:
        check_answer(unit() * np.float32(scale), None, 2)
        return
    with pytest.raises(PlacementFailed) as caught:
        check_answer(unit() * np.float32(scale), None, 2)
    assert caught.value.reason == "wrong"


def test_rows_that_are_missing_are_noticed() -> None:
    with pytest.raises(PlacementFailed):
        check_answer(unit(1), None, 2)


def caused(cause: Exception) -> RuntimeUnavailable:
    error = RuntimeUnavailable("failed on this batch")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeUnavailable("gone"), "error"),
        (MemoryError(), "out_of_memory"),
        (caused(MemoryError()), "out_of_memory"),
        (caused(RuntimeError("std::bad_alloc")), "out_of_memory"),
        (caused(RuntimeError("CUDA failure 2: out of memory")), "out_of_memory"),
        (caused(RuntimeError("Failed to allocate memory for requested buffer")), "out_of_memory"),
        (caused(RuntimeError("CUDA failure 700: an illegal memory access")), "error"),
        (PlacementFailed("unreachable", "no worker"), "unreachable"),
    ],
)
def test_what_an_error_means(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_reason_from_a_wire_is_of_the_list() -> None:
    assert known_reason("nan") == "nan"
    assert known_reason("a newer one") == "error"


def test_a_loss_is_said_in_a_sentence() -> None:
    assert str(told("hang", "CUDA", "CPU", 4.25)) == (
        "CUDA gave no answer in time; CPU serves. It takes 4.2 times as long."
    )
    assert str(told("starting", "CUDA", "CPU", 0.0)) == "CUDA is being opened; CPU serves."


@pytest.mark.parametrize("reason", get_args(Reason))
def test_every_loss_names_the_device_and_what_to_do(reason: Reason) -> None:
    lost = told(reason, "NPU", "CPU", 1.0)
    assert (lost.wanted, lost.reason) == ("npu", reason)
    assert "NPU" in lost.detail
    assert lost.remedy.endswith(".")


def test_the_known_batch_has_padding_and_small_ids() -> None:
    ids, mask = known_batch()
    assert ids.shape == mask.shape
    assert 0 < ids.max() < 2000
    assert set(np.unique(mask)) == {0, 1}
