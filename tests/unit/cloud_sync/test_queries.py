"""Addresses of the console's pages, read and written as tables."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest

from cloud_sync.console.queries import (
    NODES_A_PAGE,
    PAGES_MAX,
    TEXT_CHARACTERS_MAX,
    AuditQuery,
    FleetQuery,
    before_row,
)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, FleetQuery()),
        ({"text": " quay ", "state": "late", "group": "canary"}, FleetQuery("quay", "late", "canary")),
        ({"state": "broken", "sort": "password", "page": "two"}, FleetQuery()),
        ({"sort": "-seen", "page": "7"}, FleetQuery(sort="-seen", page=7)),
        ({"sort": "-trouble"}, FleetQuery(sort="-trouble")),
        ({"page": "0"}, FleetQuery()),
        ({"page": "-3"}, FleetQuery()),
        ({"page": str(PAGES_MAX + 1)}, FleetQuery(page=PAGES_MAX)),
        ({"page": "9" * 5000}, FleetQuery()),
        ({"text": "x" * (TEXT_CHARACTERS_MAX + 1)}, FleetQuery(text="x" * TEXT_CHARACTERS_MAX)),
    ],
)
def test_a_fleet_address_is_read(given: dict[str, str], read: FleetQuery) -> None:
    assert FleetQuery.read(given) == read
    assert FleetQuery.read(dict(parse_qsl(read.address(page=read.page)[1:]))) == read, (
        "and says the same again"
    )


def test_links_of_the_fleet_page() -> None:
    query = FleetQuery(text="a&b", sort="node", page=3)
    assert query.address() == "?text=a%26b&sort=node", "another filter begins at the first page"
    assert query.sorted_by("node") == "?text=a%26b&sort=-node"
    assert query.sorted_by("seen") == "?text=a%26b&sort=seen"
    assert [query.direction(column) for column in ("node", "seen")] == ["ascending", "none"]
    assert (query.order.sort, query.order.descending, query.order.offset) == ("node", False, 2 * NODES_A_PAGE)
    assert FleetQuery(sort="-seen").order.descending
    assert FleetQuery().address() == "?"
    assert not FleetQuery(sort="node", page=2).filtered
    pages = {0: 1, 1: 1, NODES_A_PAGE: 1, NODES_A_PAGE + 1: 2}
    assert {found: query.pages(found) for found in pages} == pages


def test_an_audit_address_is_read() -> None:
    query = AuditQuery.read({"actor": "ada", "since": "2026-03-01", "until": "2026-03-01", "text": ""})
    assert query.filter.since == datetime(2026, 3, 1, tzinfo=UTC)
    assert query.filter.until == datetime(2026, 3, 2, tzinfo=UTC), "that day is included"
    assert query.address(before=7) == "?actor=ada&since=2026-03-01&until=2026-03-01&before=7"
    assert AuditQuery.read({"since": "yesterday", "until": "2026-13-01"}) == AuditQuery()
    assert AuditQuery.read({"until": "9999-12-31"}).filter.until is None
    assert [before_row({"before": text}) for text in ("12", "", "-1", "x", "٣")] == [
        12,
        None,
        None,
        None,
        None,
    ]
