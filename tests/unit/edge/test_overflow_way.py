"""What the status says of the way to the control plane's language model."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.egress.overflow.client import OverflowClient
from edge.overflow_services import OverflowWay


@pytest.mark.parametrize(("offered", "reason"), [(False, "not_offered"), (True, "courier_away")])
def test_a_way_that_nobody_wants_says_nothing_of_the_courier(offered: bool, reason: str) -> None:
    way = OverflowWay(OverflowClient(Path("courier.sock")), lambda: offered)
    told = way.told()
    assert (told["offered"], told["ready"], told["reason"]) == (offered, False, reason)
