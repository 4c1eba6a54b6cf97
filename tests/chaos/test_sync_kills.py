"""Rows come while node, courier and control plane are killed in turn and the link is cut: each arrives once, in order.

The form that bench `sync` has, in seconds instead of minutes, and in hours for the soak.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge.egress.ledger import reading
from tests.bench.sync_rig import flap, rig

RATE = 200
# As many as there is time for on an idle machine; a busy one takes longer.
KILLS_MIN = 2
SOAK_S = 7200.0
SOAK_KILLS_MIN = 500


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_every_row_arrives_once_though_everything_is_killed(tmp_path: Path) -> None:
    async with rig(tmp_path, delay_s=0.01, loss=0.02) as made:
        await flap(made, 6.0, RATE, 2.0, random.Random(1), KILLS_MIN)
        found = await made.judge()
        report = reading.verify(made.courier.paths.ledger)
    assert report.ok
    assert report.envelopes >= 4
    assert sum(made.kills.values()) >= KILLS_MIN
    assert found.committed > RATE
    assert (found.lost, found.doubled, found.misordered, found.gaps) == (0, 0, 0, 0)


@pytest.mark.soak
async def test_two_hours_of_it(tmp_path: Path) -> None:
    async with rig(tmp_path, delay_s=0.02, loss=0.01) as made:
        await flap(made, SOAK_S, RATE, 4.0, random.Random(2), SOAK_KILLS_MIN)
        found = await made.judge()
    assert sum(made.kills.values()) >= SOAK_KILLS_MIN
    assert (found.lost, found.doubled, found.misordered, found.gaps) == (0, 0, 0, 0)
