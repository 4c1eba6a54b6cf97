"""The CPU leg of `tests/gpu/encoder.py`: it measures, compares and prints what it would of a GPU."""

from __future__ import annotations

import pytest

from models.catalog import DEFAULT_ENCODER, models_dir
from models.errors import DeviceMissing
from models.probe import this_hardware
from models.records import model_folder
from tests.gpu.encoder import measure, table

FOLDER = model_folder(models_dir(), DEFAULT_ENCODER)
pytestmark = pytest.mark.models


def test_the_cpu_leg() -> None:
    rows = measure("CPU", seconds=0.01, batches=((1, 16), (2, 16)))
    assert len(rows) >= 4
    assert not [row.problem for row in rows if row.problem]
    assert all(set(row.texts_per_s) == {"1x16", "2x16"} for row in rows)
    lines = table(rows).splitlines()
    assert "| 2x16 |" in lines[0].replace("  ", " ")
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == len(rows) + 2


def test_no_gpu_is_said_at_once() -> None:
    if this_hardware().nvidia_driver:
        pytest.skip("there is one")
    with pytest.raises(DeviceMissing):
        measure("CUDA")
