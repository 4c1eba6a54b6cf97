"""While detector, policy, store or ledger are broken, a tap inside the courier's TLS hears no byte of a text.

The other chaos tests of the guard look at the courier's socket; here everything is real up to the control plane.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import uvloop

from edge.config import site_paths
from tests.bench import egress_overflow, overflow, spike_site
from tests.bench.egress_faults import CASES, break_all
from tests.bench.egress_tap import tapped

pytestmark = [pytest.mark.long, pytest.mark.models, pytest.mark.timeout(600)]

REQUESTS = 30


@pytest.mark.proves("policy")
def test_while_anything_is_broken_no_text_is_heard(clinic: Path, tmp_path: Path) -> None:
    spike_site.permit_overflow(clinic)
    with (
        egress_overflow.provider() as url,
        spike_site.cloud(tmp_path / "cloud", overflow.settings_of(url)) as cloud,
    ):
        cloud.enrol(clinic)
        with tapped(site_paths(clinic).courier, tmp_path / "cloud") as taps, overflow.courier(clinic):
            found = uvloop.run(break_all(clinic, taps.overflow, REQUESTS))
    assert set(found) == set(CASES)
    assert {name: case["free_text_bytes"] for name, case in found.items()} == dict.fromkeys(CASES, 0)
    assert not any(case["names_at_the_tap"] for case in found.values())
    assert not any(case["problems"] for case in found.values())
