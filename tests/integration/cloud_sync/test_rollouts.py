"""The short form of the bench `rollout`: real processes, mutual TLS, a good version and a wrong one."""

from __future__ import annotations

import pytest

from tests.bench.rollout import measure, report


@pytest.mark.slow
async def test_a_wrong_but_healthy_model_goes_no_further_than_its_canary() -> None:
    nodes = 6
    found = report(await measure(0, nodes), nodes)
    assert found.judged["beyond_canary"] == 0
    assert found.judged["good_missed"] == 0
    assert found.judged["gone_s"] is not None
    assert found.results["wrong_stopped"] == found.results["wrong_rollouts"] == 1
