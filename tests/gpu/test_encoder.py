"""On a machine with a GPU: every candidate of CUDA is right, and one of them starts."""

from __future__ import annotations

import pytest

from models.errors import DeviceMissing
from models.probe import check_device
from tests.gpu.encoder import measure, table


def test_the_cuda_path_is_right() -> None:
    try:
        check_device("CUDA")
    except DeviceMissing as error:
        pytest.skip(error.detail)
    rows = measure("CUDA")
    print(table(rows))
    assert any(row.texts_per_s and not row.problem for row in rows)
