"""The bench `fleet` in short: a few nodes come back after a kill, and all hear of a change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.fleet import growth, measure

NODES = 20
# Found by `growth` with 100 and 300 nodes, three times: 145, 147, 147 KB (Python 3.11, x86-64).
RSS_KB_A_STREAM = 147.0
# So much more is no chance: whoever makes a stream dearer says so here.
TIMES_MAX = 1.2


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_fleet_comes_back_and_hears_of_a_change(tmp_path: Path) -> None:
    found = await measure(tmp_path, NODES, seconds=1.0, processes=2, times=1)
    assert found["streams"] == found["connections"] == NODES
    assert found["hellos"] >= NODES
    assert found["desired_max_s"] > 0
    assert found["reconnect_s"] > found["start_s"] > 0
    assert found["idle_kbit_s"] >= 0


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_stream_takes_no_more_memory_than_it_did(tmp_path: Path) -> None:
    assert await growth(tmp_path, 100, 300) <= TIMES_MAX * RSS_KB_A_STREAM
