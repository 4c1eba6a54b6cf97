"""What is told of the encoder's placement, and when it is measured anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge import metrics
from edge.placed import encoder_status, keep_tuned, say_shortfall
from models.encoder import ModelInfo
from models.placement import BY_HAND, Plan, Shortfall, default_candidate

CPU = default_candidate("onnxruntime", 2)
LOST = Shortfall("cuda", "no_nvidia_driver", "There is no NVIDIA driver.", "Install it.", 4.0)


def info(stale: str = "", shortfall: Shortfall | None = None) -> ModelInfo:
    return ModelInfo("m", "1", "onnxruntime", "CPU", "00", Plan(CPU, shortfall, stale))


def test_status_tells_where_it_runs_and_what_that_falls_short_of() -> None:
    told = encoder_status(info(shortfall=LOST))
    assert (told["runtime"], told["device"]) == ("onnxruntime", "CPU")
    assert told["placement"] == {
        "precision": "int8",
        "lanes": 2,
        "threads": 1,
        "shapes": "dynamic",
        "measured": True,
        "out_of_date": "",
    }
    assert told["fallback"] == {
        "wanted": "cuda",
        "reason": "no_nvidia_driver",
        "detail": "There is no NVIDIA driver.",
        "remedy": "Install it.",
        "slowdown": 4.0,
    }
    assert encoder_status(info())["fallback"] is None
    assert "placement" not in encoder_status(ModelInfo("m", "1", "scripted", "CPU", ""))


def test_a_shortfall_is_in_metrics_and_log(caplog: pytest.LogCaptureFixture) -> None:
    try:
        say_shortfall(info(shortfall=LOST))
        assert "encoder:no_nvidia_driver" in metrics.fallbacks()
        (record,) = [each for each in caplog.records if each.name == "edge.placed"]
        assert "4.0 times" in record.__dict__["detail"]
        assert record.__dict__["remedy"] == "Install it."
    finally:
        metrics.recover("encoder")
    say_shortfall(info())
    assert not [each for each in metrics.fallbacks() if each.startswith("encoder:")]


@pytest.mark.parametrize(
    ("stale", "measures"), [("", False), (BY_HAND, False), ("a driver has changed", True)]
)
async def test_what_is_out_of_date_is_measured_once(tmp_path: Path, stale: str, measures: bool) -> None:
    mark = tmp_path / "mark"
    code = f"import os, pathlib; pathlib.Path({str(mark)!r}).write_text('')"
    await keep_tuned(info(stale), tmp_path, (sys.executable, "-c", code), after_s=0)
    assert mark.exists() is measures


async def test_a_measurement_that_fails_is_nobodys_failure(tmp_path: Path) -> None:
    await keep_tuned(info("changed"), tmp_path, (sys.executable, "-c", "raise SystemExit(3)"), after_s=0)
