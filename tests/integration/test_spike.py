"""The benches of spikes and of availability, short: they run from end to end, and nothing is lost or leaves unscanned.

How soon answers come is for the benches themselves, on a machine that does nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

# Set-up and all; many times what they take on a machine of two cores.
LIMIT_S = 1200
# A fault after the other for two hours.
SOAK_S = 7200
SHARE_MIN = 0.995


def document(name: str, *options: str, limit_s: float) -> dict[str, Any]:
    """What the bench says."""
    command = [sys.executable, "-m", f"tests.bench.{name}", "--json", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=limit_s, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
@pytest.mark.parametrize("mode", ["generative", "away", "extractive"])
def test_nothing_is_lost_in_a_spike_and_nothing_leaves_unscanned(mode: str) -> None:
    found = document("spike", "--modes", mode, "--seconds", "10", limit_s=LIMIT_S)
    result = found["results"][mode]
    assert (result["lost"], result.get("unscanned", 0), result["refused_without_retry_after"]) == (0, 0, 0)
    assert result["starved"] == 0
    if mode != "extractive":
        assert set(result["ends"]) <= {"answer", "generate", "overflow"}


@pytest.mark.long
@pytest.mark.timeout(LIMIT_S)
def test_every_fault_comes_once_and_questions_are_answered_all_the_while() -> None:
    options = ("--seconds", "170", "--fault-seconds", "5")
    found = document("availability", *options, limit_s=LIMIT_S)
    assert len(found["config"]["times"]) + len(found["config"]["not_there_to_break"]) >= 12
    assert found["judged"]["answered_share"] > 0.5


@pytest.mark.soak
def test_two_hours_of_faults() -> None:
    found = document("availability", "--seconds", str(SOAK_S), limit_s=SOAK_S + LIMIT_S)
    assert found["judged"]["answered_share_high"] >= SHARE_MIN, found["results"]
