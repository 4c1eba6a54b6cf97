"""Which candidates there are, which is chosen and why, when a record counts, and what a missing device was worth."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import DeviceMissing
from models.machine import Machine
from models.placement import (
    NEARLY_AS_FAST,
    PLACEMENT_FILE,
    Candidate,
    Measured,
    Placement,
    as_table,
    candidates,
    default_candidate,
    explain,
    fastest,
    plan,
    read_placement,
    stale_because,
    write_placement,
)
from models.probe import Hardware

FILES = ("onnxruntime int8", "onnxruntime fp32", "openvino int8", "openvino fp32")
MACHINE = Machine(architecture="x86_64", cpu="a", flags=("avx2",), runtimes={"onnxruntime-gpu": "1"})
HARDWARE = Hardware(
    cores=2,
    memory_gb=16,
    nvidia_driver="590",
    nvidia_gpus=("L4",),
    cuda_libraries={"nvidia-cublas": "13"},
    intel_gpus=0,
    npus=0,
    kernel="",
)
ORT, OV = default_candidate("onnxruntime", 2), default_candidate("openvino", 2)
(CUDA, *_) = [each for each in candidates(2, ["CUDA"], ["onnxruntime fp16"]) if each.device == "CUDA"]
BOTH = ("onnxruntime", "openvino")
NO_DRIVER = DeviceMissing("no_nvidia_driver", "There is no NVIDIA driver.", remedy="Install it.")


def row(candidate: Candidate, ms: float, passed: bool = True) -> Measured:
    return Measured(candidate=candidate, passed=passed, ms={"1x16": ms, "8x128": 10 * ms})


def record(*rows: Measured) -> Placement:
    chosen, why, told = explain(rows)
    return Placement(
        model="m",
        files={"a.onnx": "1", "b.onnx": "2"},
        machine=MACHINE,
        hardware=HARDWARE,
        chosen=chosen,
        why=why,
        measured=told,
        seconds=1.0,
        tuned_at="2026-01-01T00:00:00+00:00",
    )


def test_candidates_of_a_processor() -> None:
    found = candidates(2, (), FILES)
    assert {each.device for each in found} == {"CPU"}
    assert [(each.lanes, each.threads) for each in found if each.runtime == "onnxruntime"] == [
        (2, 1),
        (1, 2),
        (2, 1),
    ]
    assert {each.shapes for each in found if each.runtime == "openvino"} == {"lengths"}
    assert len(set(found)) == len(found)


def test_one_core_has_no_two_ways_to_share_it() -> None:
    assert len(candidates(1, (), ["onnxruntime int8"])) == 1


@pytest.mark.parametrize("device", ["CUDA", "TENSORRT", "GPU", "NPU"])
def test_an_accelerators_candidates_have_fixed_shapes(device: str) -> None:
    found = candidates(2, [device], {*FILES, "onnxruntime fp16", "openvino fp16"})
    own = [each for each in found if each.device == device]
    assert own
    assert all(each.shapes in {"static", "graphs"} for each in own)


def test_no_file_no_candidate() -> None:
    assert {each.precision for each in candidates(2, ["CUDA"], ["onnxruntime int8"])} == {"int8"}


@pytest.mark.parametrize(
    ("first", "second", "chosen"),
    [
        (1.0, 2.0, ORT),
        (2.0, 1.0, OV),
        (1.0, NEARLY_AS_FAST + 0.001, ORT),
        (1.0, NEARLY_AS_FAST - 0.001, OV),
    ],
)
def test_the_fastest_unless_an_earlier_one_is_nearly_as_fast(
    first: float, second: float, chosen: Candidate
) -> None:
    found = fastest([row(ORT, first), row(OV, second)])
    assert found is not None
    assert found.candidate == chosen


def test_what_failed_or_was_not_timed_is_never_chosen_and_each_has_a_reason() -> None:
    failed = row(OV, 0.1, passed=False).model_copy(update={"reason": "mean cosine to fp32 0.100 < 0.985"})
    untimed = Measured(candidate=CUDA, passed=True, reason="the time was up before it was tried")
    placed = record(failed, untimed, row(ORT, 4.0), row(ORT.model_copy(update={"lanes": 1}), 8.0))
    assert placed.chosen == ORT
    assert [bool(each.reason) for each in placed.measured] == [True, True, False, True]
    assert "2.00 times" in placed.measured[-1].reason
    assert "chosen" in as_table(placed)
    assert "cosine" in as_table(placed)


def test_nothing_passed() -> None:
    assert fastest([]) is None
    with pytest.raises(ValueError, match="passed"):
        explain([row(ORT, 1.0, passed=False)])


@pytest.mark.parametrize(
    ("files", "machine", "hardware", "why"),
    [
        ({}, {}, {}, ""),
        ({}, {}, {"memory_gb": 8}, ""),
        ({"a.onnx": "9"}, {}, {}, "files"),
        ({"c.onnx": "3"}, {}, {}, "files"),
        ({}, {"cpu": "b"}, {}, "processor"),
        ({}, {"runtimes": {"onnxruntime-gpu": "2"}}, {}, "version"),
        ({}, {}, {"nvidia_driver": "595"}, "driver"),
        ({}, {}, {"cuda_libraries": {}}, "driver"),
        ({}, {}, {"npus": 1}, "accelerator"),
        ({}, {}, {"cores": 4}, "cores"),
    ],
)
def test_a_record_counts_for_what_it_was_measured_with(
    files: dict[str, str], machine: dict[str, object], hardware: dict[str, object], why: str
) -> None:
    found = stale_because(
        record(row(ORT, 1.0)),
        {"a.onnx": "1"} | files,
        MACHINE.model_copy(update=machine),
        HARDWARE.model_copy(update=hardware),
    )
    assert why in found
    assert bool(found) == bool(why)


MEASURED = record(row(ORT, 4.0), row(OV, 8.0), row(CUDA, 1.0))


@pytest.mark.parametrize(
    ("placement", "stale", "runtimes", "device", "missing", "used", "reason", "slowdown"),
    [
        (MEASURED, "", BOTH, "auto", None, CUDA, "", 0),
        (MEASURED, "", BOTH, "cpu", None, ORT, "", 0),
        (MEASURED, "", ("openvino",), "cpu", None, OV, "", 0),
        (MEASURED, "", BOTH, "cuda", None, CUDA, "", 0),
        (MEASURED, "", BOTH, "cuda", NO_DRIVER, ORT, "no_nvidia_driver", 4.0),
        (MEASURED, "a driver has changed", BOTH, "cuda", NO_DRIVER, ORT, "no_nvidia_driver", 4.0),
        (MEASURED, "a driver has changed", BOTH, "auto", None, ORT, "", 0),
        (MEASURED, "a driver has changed", BOTH, "cuda", None, ORT, "not_measured", 4.0),
        (MEASURED, "", BOTH, "npu", None, ORT, "not_measured", 0),
        (None, "nothing was measured yet", BOTH, "auto", None, ORT, "", 0),
        (None, "nothing was measured yet", BOTH, "cuda", NO_DRIVER, ORT, "no_nvidia_driver", 0),
        (None, "nothing was measured yet", BOTH, "cuda", None, ORT, "not_measured", 0),
    ],
)
def test_where_it_runs_and_what_that_falls_short_of(
    placement: Placement | None,
    stale: str,
    runtimes: tuple[str, ...],
    device: str,
    missing: DeviceMissing | None,
    used: Candidate,
    reason: str,
    slowdown: float,
) -> None:
    default = OV if runtimes == ("openvino",) else ORT
    found = plan(placement, stale, runtimes=runtimes, default=default, device=device, missing=missing)
    assert found.candidate == used
    assert found.stale == stale
    assert (found.shortfall.reason if found.shortfall else "") == reason
    if found.shortfall is not None:
        assert found.shortfall.slowdown == pytest.approx(slowdown)
        assert found.shortfall.remedy
        assert ("4.0 times" in str(found.shortfall)) == bool(slowdown)


def test_the_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_placement(tmp_path) is None
    write_placement(tmp_path, MEASURED)
    assert read_placement(tmp_path) == MEASURED
    (tmp_path / PLACEMENT_FILE).write_text("{")
    assert read_placement(tmp_path) is None
