"""What counts as having left, for the watch over an update."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from edge.config import site_paths
from edge.egress import metrics as egress_metrics
from edge.egress.courier.client import CourierNumbers
from edge.store.outbox import OutboxClass, append
from edge.store.store import Store
from edge.update_services import CUSTOMERS_KINDS, ROWS_KIND, egress_since

NOTHING = CourierNumbers(b"", {}, {})
KNOWN = CourierNumbers(b"one", {"heartbeat": 100}, {})


@pytest.mark.parametrize(
    ("known", "fresh", "sent"),
    [
        (NOTHING, KNOWN, {}),
        (KNOWN, CourierNumbers(b"one", {"heartbeat": 130, "hello": 7}, {}), {"heartbeat": 30, "hello": 7}),
        (KNOWN, CourierNumbers(b"other", {"heartbeat": 5}, {}), {"heartbeat": 5}),
        (KNOWN, KNOWN, {"heartbeat": 0}),
    ],
)
def test_the_first_report_of_a_courier_is_of_before(
    known: CourierNumbers, fresh: CourierNumbers, sent: dict[str, int]
) -> None:
    assert fresh.sent_since(known) == sent


def test_an_outbox_that_makes_up_for_days_is_no_flood() -> None:
    sums = egress_since(time.monotonic())
    before, _ = sums()
    for kind in (*CUSTOMERS_KINDS, ROWS_KIND):
        egress_metrics.BYTES.labels(kind).inc(10_000_000)
    assert sums()[0] == before
    egress_metrics.BYTES.labels("heartbeat").inc(40)
    assert sums()[0] == before + 40


async def test_rows_count_as_they_are_written(tmp_path: Path) -> None:
    sums = egress_since(time.monotonic())
    store = Store.open(site_paths(tmp_path / "site"))
    before, _ = sums()
    await store.write(lambda db: append(db, OutboxClass.STATE, "test.row", {"text": "x" * 1_000}))
    await store.close()
    assert sums()[0] >= before + 1_000
