"""Pages of a fleet and of its audit trail: the database filters, orders and judges as plain rules say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from cloud_sync.fleet.rules import state_line
from cloud_sync.store.audit import AuditFilter, AuditRow, add_audit, search_audit
from cloud_sync.store.database import Database
from cloud_sync.store.node_search import (
    NEW,
    STATES_BY_TROUBLE,
    NodeFilter,
    NodeOrder,
    count_states,
    find_nodes,
)
from cloud_sync.store.nodes import NodeRow
from cloud_sync.store.schema import nodes
from tests.cloud_store import opened_store
from tests.unit.cloud_sync.test_rules import NODE, NOW, STATES

LINE = state_line(frozenset(), NOW)
FLEET = [
    replace(NODE, id=f"node-{number}", site="Süd" if number % 2 else "North_Quay 100%", name=f"Desk {number:02}",
            group_name="canary" if number < 2 else "default", outbox_rows=None if number == 5 else 10 - number,
            labels={"region": "south"} if number % 2 else {"region": "north", "tier": "a"})
    for number in range(6)
]  # fmt: skip


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened_store(tmp_path) as opened:
        yield opened


async def put(store: Database, rows: list[NodeRow]) -> None:
    values = [
        {
            **vars(row),
            "fallbacks": list(row.fallbacks),
            "models": list(row.models),
            "labels": dict(row.labels),
        }
        for row in rows
    ]
    await store.run(lambda connection: connection.execute(nodes.insert(), values))


async def test_the_database_calls_states_as_the_rule_does(store: Database) -> None:
    rows = [replace(row, id=f"node-{number}") for number, (row, _, _) in enumerate(STATES)]
    await put(store, rows)
    line = state_line(frozenset(f"node-{number}" for number, (_, lost, _) in enumerate(STATES) if lost), NOW)
    found = await store.run(lambda connection: find_nodes(connection, NodeFilter(), NodeOrder(), line))
    expected = {f"node-{number}": state for number, (_, _, state) in enumerate(STATES)}
    assert {row.id: state for row, state in found.rows} == expected
    states = [state for _, state in found.rows]
    assert states == sorted(states, key=STATES_BY_TROUBLE.index), "troubled ones first"
    counts = {state: states.count(state) for state in STATES_BY_TROUBLE}
    assert await store.run(lambda connection: count_states(connection, line)) == counts == found.by_state


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (NodeFilter(), [0, 1, 2, 3, 4, 5]),
        (NodeFilter(text="desk 0"), [0, 1, 2, 3, 4, 5]),
        (NodeFilter(text="NODE-3"), [3]),
        (NodeFilter(text="süd"), [1, 3, 5]),
        (NodeFilter(text="100%"), [0, 2, 4]),
        (NodeFilter(text="North_"), [0, 2, 4]),
        (NodeFilter(text="%"), [0, 2, 4]),
        (NodeFilter(text="_"), [0, 2, 4]),
        (NodeFilter(text="' OR 1=1 --"), []),
        (NodeFilter(group="canary"), [0, 1]),
        (NodeFilter(label="region=south"), [1, 3, 5]),
        (NodeFilter(label="tier"), [0, 2, 4]),
        (NodeFilter(label="tier=b"), []),
        (NodeFilter(label="no'such\"key"), []),
        (NodeFilter(group="canary", label="region=north", text="Desk"), [0]),
        (NodeFilter(state="live"), []),
        (NodeFilter(state=NEW, group="canary"), [0, 1]),
    ],
)
async def test_filters(store: Database, wanted: NodeFilter, numbers: list[int]) -> None:
    await put(store, FLEET)
    found = await store.run(lambda connection: find_nodes(connection, wanted, NodeOrder(sort="node"), LINE))
    assert [row.name for row, _ in found.rows] == [f"Desk {number:02}" for number in numbers]
    assert found.groups == ("canary", "default"), "all groups stay on offer"
    if not wanted.state:
        assert sum(found.by_state.values()) == len(numbers)


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        (NodeOrder("node"), [0, 1, 2, 3, 4, 5]),
        (NodeOrder("node", descending=True, limit=2), [5, 4]),
        (NodeOrder("node", offset=4, limit=50), [4, 5]),
        (NodeOrder("node", offset=6, limit=50), []),
        (NodeOrder("waiting"), [4, 3, 2, 1, 0, 5]),  # who says nothing comes last
        (NodeOrder("waiting", descending=True), [0, 1, 2, 3, 4, 5]),
        (NodeOrder(), [0, 2, 4, 1, 3, 5]),  # all new: by site and name
    ],
)
async def test_order_and_pages(store: Database, order: NodeOrder, numbers: list[int]) -> None:
    await put(store, FLEET)
    found = await store.run(lambda connection: find_nodes(connection, NodeFilter(), order, LINE))
    assert [row.name for row, _ in found.rows] == [f"Desk {number:02}" for number in numbers]
    assert found.by_state[NEW] == len(FLEET), "counts are of all pages"


async def test_audit_is_searched_and_paged_without_a_gap(store: Database) -> None:
    rows = [
        AuditRow(NOW + timedelta(minutes=number), "ada" if number % 3 else "ben", "node.revoked" if number % 2 else
                 "desired.set", f"node-{number}", "100% done" if number == 4 else "plain")
        for number in range(10)
    ]  # fmt: skip
    for row in rows:
        await store.run(lambda connection, row=row: add_audit(connection, row))  # type: ignore[misc]
    cases: list[tuple[AuditFilter, list[int]]] = [
        (AuditFilter(), list(range(10))),
        (AuditFilter(actor="ben"), [0, 3, 6, 9]),
        (AuditFilter(action="node"), [1, 3, 5, 7, 9]),
        (AuditFilter(action="node.revoked", actor="ben"), [3, 9]),
        (AuditFilter(action="nod"), []),
        (AuditFilter(action="no_e"), []),
        (AuditFilter(subject="node-4"), [4]),
        (AuditFilter(text="NODE-4"), [4]),
        (AuditFilter(text="%"), [4]),
        (AuditFilter(since=rows[3].at, until=rows[5].at), [3, 4]),
    ]
    for wanted, numbers in cases:
        found, before = [], None
        while True:
            page = await store.run(
                lambda connection, wanted=wanted, before=before: search_audit(connection, wanted, 3, before)  # type: ignore[misc]
            )
            assert len(page.rows) <= 3
            found += [int(row.subject.removeprefix("node-")) for row in page.rows]
            before = page.older
            if before is None:
                break
        assert found == numbers[::-1], wanted
