"""The race, with a clock and encoders that are made up: who is dropped, who runs on, when it ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.catalog import encoder_entry
from models.errors import DeviceMissing, RuntimeUnavailable
from models.golden import encoder_golden
from models.placement import Candidate, Measured, Placement, candidates, default_candidate
from models.tune import (
    BATCHES,
    HOPELESS,
    OVERTIME,
    ROUNDS_MAX,
    ROUNDS_MIN,
    Machinery,
    race,
    remembered,
    sample_batches,
)

ENTRY = encoder_entry()
ORT, OV = default_candidate("onnxruntime", 2), default_candidate("openvino", 2)
FP32 = ORT.model_copy(update={"precision": "fp32"})


def right(count: int) -> np.ndarray:
    """Embeddings that find every passage: a question has its passage's vector."""
    golden = encoder_golden()
    vectors = np.eye(len(golden.texts), ENTRY.shape.dim, dtype=np.float32)
    for index, (_, passage) in enumerate(golden.questions):
        vectors[len(golden.sentences) + len(golden.passages) + index] = vectors[
            len(golden.sentences) + passage
        ]
    return vectors[:count]


class Track:
    """A clock that only encoders move, and the encoders, each with its seconds a call."""

    def __init__(self, **seconds: float) -> None:
        self.now = 0.0
        self.seconds = seconds
        self.open = 0
        self.wrong: set[Candidate] = set()
        self.refused: set[Candidate] = set()

    def machinery(self) -> Machinery:
        return Machinery(
            open=self.start,
            reference=lambda: right(len(encoder_golden().texts)),
            absent=lambda _: None,
            clock=lambda: self.now,
        )

    def start(self, candidate: Candidate) -> Runner:
        if candidate in self.refused:
            raise RuntimeUnavailable("It does not load.")
        self.open += 1
        return Runner(self, candidate)


class Runner:
    def __init__(self, track: Track, candidate: Candidate) -> None:
        self.track = track
        self.candidate = candidate

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        seconds = self.track.seconds
        self.track.now += seconds.get(f"{self.candidate.runtime}_{self.candidate.precision}", 1.0)
        found = right(len(texts))
        return found[::-1] if self.candidate in self.track.wrong else found

    def close(self) -> None:
        self.track.open -= 1


def by_candidate(rows: list[Measured]) -> dict[Candidate, Measured]:
    return {row.candidate: row for row in rows}


def test_all_that_pass_are_timed_on_every_bucket_until_the_time_is_up() -> None:
    track = Track(onnxruntime_int8=0.1, openvino_int8=0.12)
    found = by_candidate(race(ENTRY, [ORT, OV], 20.0, track.machinery()))
    for row in found.values():
        assert row.passed
        assert set(row.ms) == {f"{rows}x{tokens}" for rows, tokens in BATCHES}
        assert row.rounds >= ROUNDS_MIN
    assert found[ORT].ms["1x16"] == pytest.approx(100)
    assert 20.0 <= track.now <= 22.0
    assert track.open == 0


def test_who_is_wrong_or_does_not_load_is_dropped_with_the_reason() -> None:
    track = Track(onnxruntime_int8=0.1)
    track.wrong, track.refused = {OV}, {FP32}
    found = by_candidate(race(ENTRY, [ORT, OV, FP32], 5.0, track.machinery()))
    assert [found[each].passed for each in (ORT, OV, FP32)] == [True, False, False]
    assert "cosine" in found[OV].reason
    assert found[FP32].reason == "It does not load."
    assert found[OV].ms == {}
    assert track.open == 0


@pytest.mark.parametrize(("slower", "rounds"), [(HOPELESS - 0.01, ROUNDS_MIN), (HOPELESS + 0.01, 1)])
def test_who_is_far_behind_is_timed_once(slower: float, rounds: int) -> None:
    track = Track(onnxruntime_int8=0.1, openvino_int8=0.1 * slower)
    found = by_candidate(race(ENTRY, [ORT, OV], 10.0, track.machinery()))
    assert found[OV].rounds >= rounds
    assert (found[OV].rounds == 1) == (rounds == 1)
    assert found[OV].passed


def test_a_first_that_turns_out_far_behind_is_dropped_as_well() -> None:
    track = Track(onnxruntime_int8=1.0, openvino_int8=0.1)
    found = by_candidate(race(ENTRY, [ORT, OV], 10.0, track.machinery()))
    assert found[ORT].rounds == 1
    assert found[OV].rounds > ROUNDS_MIN


def test_time_that_is_up_leaves_the_rest_untried_but_never_all() -> None:
    track = Track(onnxruntime_int8=10.0, openvino_int8=10.0)
    found = by_candidate(race(ENTRY, [ORT, OV], 1.0, track.machinery()))
    assert found[ORT].passed
    assert "time was up" in found[OV].reason


def test_a_slow_machine_gets_no_more_than_its_overtime() -> None:
    track = Track(onnxruntime_int8=1.0)
    (row,) = race(ENTRY, [ORT], 6.0, track.machinery())
    assert row.rounds < ROUNDS_MIN
    assert track.now <= 6.0 * OVERTIME + len(BATCHES)


def test_a_fast_machine_does_not_race_for_ever() -> None:
    track = Track(onnxruntime_int8=0.001)
    (row,) = race(ENTRY, [ORT], 100.0, track.machinery())
    assert row.rounds == ROUNDS_MAX


def test_progress_ends_and_never_goes_back() -> None:
    told: list[tuple[int, int]] = []
    race(ENTRY, [ORT, OV], 10.0, Track().machinery(), lambda _, done, total: told.append((done, total)))
    assert told[-1] == (10, 10)
    assert told == sorted(told)


def test_batches_have_their_rows_and_no_text_twice() -> None:
    for key, texts in sample_batches(encoder_golden()).items():
        assert len(texts) == int(key.partition("x")[0]) == len(set(texts))


def test_what_a_lost_device_was_worth_is_remembered() -> None:
    from tests.unit.models.test_placement import MEASURED

    gone = DeviceMissing("no_nvidia_driver", "There is no NVIDIA driver.", remedy="Install it.")

    def absent(device: str) -> DeviceMissing | None:
        return gone if device == "CUDA" else None

    (row,) = remembered(MEASURED, absent)
    assert (row.candidate.device, row.passed) == ("CUDA", False)
    assert row.ms
    assert "NVIDIA driver" in row.reason
    assert remembered(MEASURED, lambda _: None) == []
    assert remembered(None, absent) == []
    assert candidates(2, ["CUDA"], ["onnxruntime fp16"])
    assert isinstance(MEASURED, Placement)
