"""What a placement's record allows to be opened, and by whom: the worker, and processes without one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge.chat.apart import TrainingSettings, open_processor
from edge.inference.opening import choice_of, open_chosen
from models.catalog import DEFAULT_ENCODER, models_dir
from models.encoder import open_encoder
from models.errors import ModelRefused
from models.loading import HALF_FILE
from models.machine import this_machine
from models.placement import Candidate, Measured, Placement, default_candidate, write_placement
from models.probe import this_hardware
from models.recipes.files import FP32_FILE
from models.recipes.half import make_half
from models.records import BUILD_FILE, GATE_FILE, model_folder, read_build, sha256_of
from tests.model_files import placed

pytestmark = pytest.mark.models

PROCESSOR = default_candidate("onnxruntime", 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default encoder in a models folder of its own, where nothing was measured yet."""
    served, own = model_folder(models_dir(), DEFAULT_ENCODER), tmp_path / DEFAULT_ENCODER
    own.mkdir()
    for name in (*read_build(served).files, BUILD_FILE, GATE_FILE):
        placed(served / name, own / name)
    monkeypatch.setenv("POSTERN_MODELS", str(tmp_path))
    return own


def place(folder: Path, *fastest_first: Candidate) -> None:
    """Write down that these passed, in this order of speed."""
    made = {HALF_FILE: sha256_of(folder / HALF_FILE)} if (folder / HALF_FILE).is_file() else {}
    rows = (
        Measured(candidate=candidate, passed=True, ms={"1x16": float(rank)})
        for rank, candidate in enumerate(fastest_first, 1)
    )
    placement = Placement(
        model=DEFAULT_ENCODER,
        files={**read_build(folder).files, **made},
        machine=this_machine(),
        hardware=this_hardware(),
        chosen=fastest_first[0],
        why="a test says so",
        measured=tuple(rows),
        seconds=1.0,
        tuned_at="2026-01-01T00:00:00+00:00",
    )
    write_placement(folder, placement)


def test_what_was_measured_opens_in_whatever_precision(folder: Path) -> None:
    half = folder / HALF_FILE
    make_half(folder / FP32_FILE, half)
    candidate = PROCESSOR.model_copy(update={"precision": "fp16"})
    place(folder, candidate)
    ids = np.array([[101, 2000, 102]])
    with closing(open_chosen(choice_of(DEFAULT_ENCODER, candidate))) as runtime:
        embedding, _ = runtime.run(ids, np.ones_like(ids), want_states=False)
        assert np.linalg.norm(embedding) == pytest.approx(1, abs=0.01)
    with closing(open_encoder(models_dir())) as encoder:
        assert encoder.info.sha256 == sha256_of(half)
    half.write_bytes(half.read_bytes() + b"more")
    with pytest.raises(ModelRefused, match=HALF_FILE):
        open_chosen(choice_of(DEFAULT_ENCODER, candidate))


def test_a_record_of_measuring_does_not_vouch_for_a_file_of_the_build(folder: Path) -> None:
    place(folder, PROCESSOR)
    changed = folder / "encoder.int8.onnx"
    changed.unlink()
    changed.write_bytes(b"other")
    record = folder / "placement.json"
    told = record.read_text().replace(read_build(folder).files[changed.name], sha256_of(changed))
    record.write_text(told)
    with pytest.raises(ModelRefused):
        open_chosen(choice_of(DEFAULT_ENCODER, PROCESSOR))


def test_training_takes_the_processor_wherever_the_node_is_placed(folder: Path) -> None:
    npu = PROCESSOR.model_copy(update={"device": "NPU", "shapes": "static"})
    place(folder, npu, PROCESSOR)
    with closing(open_encoder(models_dir())) as tried:
        assert tried.info.shortfall is not None  # the record says NPU, and there is none
    with closing(open_processor(TrainingSettings(DEFAULT_ENCODER, "auto", threads=0))) as encoder:
        assert (encoder.info.device, encoder.info.shortfall) == ("CPU", None)
