"""What is told of the encoder's placement, and when it is measured anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from edge import metrics
from edge.inference.loss import told
from edge.placed import encoder_status, keep_tuned, told_shortfall, watch_encoder
from models.encoder import Encoder, ModelInfo
from models.placement import BY_HAND, Plan, Shortfall, default_candidate

CPU = default_candidate("onnxruntime", 2)
LOST = Shortfall("cuda", "no_nvidia_driver", "There is no NVIDIA driver.", "Install it.", 4.0)


def info(stale: str = "", shortfall: Shortfall | None = None) -> ModelInfo:
    plan = Plan(CPU, shortfall, stale)
    return ModelInfo("m", "1", "onnxruntime", "CPU", "00", plan, shortfall=shortfall)


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


class Serving:
    """An encoder as far as it tells where it runs."""

    def __init__(self, told: ModelInfo) -> None:
        self.info = told


@pytest.fixture
def _unwatched() -> Iterator[None]:
    yield
    metrics.watch("encoder", lambda: "")
    metrics.fallbacks()


def watched(told: ModelInfo) -> Serving:
    serving = Serving(told)
    watch_encoder(cast("Encoder", serving))
    return serving


def told_of_encoder() -> list[str]:
    return [each for each in metrics.fallbacks() if each.startswith("encoder:")]


@pytest.mark.usefixtures("_unwatched")
def test_a_shortfall_from_the_start_is_in_metrics_and_log(caplog: pytest.LogCaptureFixture) -> None:
    watched(info(shortfall=LOST))
    assert told_of_encoder() == ["encoder:no_nvidia_driver"]
    (record,) = [each for each in caplog.records if each.name == "edge.inference.opening"]
    assert "4.0 times" in record.__dict__["detail"]
    assert record.__dict__["remedy"] == "Install it."


@pytest.mark.usefixtures("_unwatched")
def test_metrics_and_status_say_the_same_at_every_moment() -> None:
    serving = watched(info())
    for shortfall in (None, told("starting", "NPU", "CPU", 0.0), None, told("hang", "NPU", "CPU", 3.0), LOST):
        serving.info = info(shortfall=shortfall)
        assert told_of_encoder() == ([f"encoder:{shortfall.reason}"] if shortfall else [])
        assert told_shortfall(encoder_status(serving.info)) == shortfall


@pytest.mark.parametrize(
    ("stale", "measures"), [("", False), (BY_HAND, False), ("a driver has changed", True)]
)
async def test_what_is_out_of_date_is_measured_once(tmp_path: Path, stale: str, measures: bool) -> None:
    mark = tmp_path / "mark"
    code = f"import os, pathlib; pathlib.Path({str(mark)!r}).write_text('')"
    await keep_tuned(info(stale), tmp_path, (sys.executable, "-c", code), after_s=0)
    assert mark.exists() is measures


@pytest.mark.parametrize(("code", "said"), [(0, "measured; "), (3, "measuring failed; ")])
async def test_a_measurement_that_fails_is_nobodys_failure_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, code: int, said: str
) -> None:
    caplog.set_level("INFO")
    await keep_tuned(
        info("changed"), tmp_path, (sys.executable, "-c", f"raise SystemExit({code})"), after_s=0
    )
    assert caplog.messages[-1].startswith(said)
