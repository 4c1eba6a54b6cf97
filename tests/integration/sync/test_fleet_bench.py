"""The bench `fleet` in short: a few nodes come back after a kill, and all hear of a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.fleet import measure

NODES = 20


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_fleet_comes_back_and_hears_of_a_change(tmp_path: Path) -> None:
    found = await measure(tmp_path, NODES, seconds=1.0, processes=2, times=1)
    assert found["streams"] == found["connections"] == NODES
    assert found["hellos"] >= NODES
    assert found["desired_max_s"] > 0
    assert found["reconnect_s"] > found["start_s"] > 0
    assert found["idle_kbit_s"] >= 0
