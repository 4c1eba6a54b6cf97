"""What one node is told: its own state or its group's, with what it is assigned, under the newest generation."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cloud_sync.fleet.composing import UPDATES_MAX, composed
from cloud_sync.fleet.steering import DOCUMENT_BYTES_MAX
from cloud_sync.store.assignments import Assignment
from cloud_sync.store.desired import DesiredRow, group_scope, node_scope
from cloud_sync.store.nodes import ACTIVE, REVOKED, Steered
from core.signing import content_hash
from edge.sync.desired import DOCUMENT_BYTES_MAX as NODE_BYTES_MAX
from edge.sync.desired import parse
from edge.updates import wanted as node_side

NODE = Steered("node-1", "default", ACTIVE, 1, 0)
GROUP = DesiredRow(3, group_scope("default"), content_hash(b'{"heartbeat_s":10}'), b'{"heartbeat_s":10}')
OWN = DesiredRow(5, node_scope("node-1"), content_hash(b'{"heartbeat_s":20}'), b'{"heartbeat_s":20}')
MODEL = Assignment("node-1", "model", "encoder", "2.0", "model/encoder/2.0", "rollout-1", 900)


@pytest.mark.parametrize(
    ("rows", "steered", "generation", "document"),
    [
        ((), 0, None, None),
        ((GROUP,), 0, 3, GROUP.document),
        ((OWN,), 0, 5, OWN.document),
        ((GROUP, OWN), 0, 5, OWN.document),
        ((replace(GROUP, generation=9), OWN), 0, 9, OWN.document),
        ((GROUP, OWN), 7, 7, OWN.document),  # moved to the group, say
        ((GROUP, replace(OWN, document=b"")), 0, 5, GROUP.document),  # its own was taken back
        ((replace(GROUP, document=b""),), 0, 3, b"{}"),  # nothing any more, which it must learn
        ((), 7, 7, b"{}"),  # an assignment was taken back
    ],
)
def test_the_parts_of_what_is_wanted(
    rows: tuple[DesiredRow, ...], steered: int, generation: int | None, document: bytes | None
) -> None:
    found = composed(replace(NODE, steered_generation=steered), {row.scope: row for row in rows}, ())
    if found is None:
        assert (generation, document) == (None, None)
        return
    assert (found.generation, found.document, found.hash) == (
        generation,
        document,
        content_hash(found.document),
    )


def test_other_nodes_and_revoked_ones_are_told_nothing_of_it() -> None:
    assert composed(replace(NODE, id="node-2"), {OWN.scope: OWN}, ()) is None
    assert composed(replace(NODE, group_name="other"), {GROUP.scope: GROUP}, ()) is None
    assert composed(replace(NODE, status=REVOKED), {OWN.scope: OWN}, (MODEL,)) is None


def test_assignments_are_updates_that_a_node_reads() -> None:
    found = composed(replace(NODE, steered_generation=8), {GROUP.scope: GROUP}, (MODEL,))
    assert found is not None
    read = parse(found.document)
    assert read.heartbeat_s == 10
    (update,) = read.updates
    assert update.model_dump() == {
        "kind": "model", "name": "encoder", "version": "2.0", "target": "model/encoder/2.0",
        "rollout": "rollout-1", "watch_s": 900,
    }  # fmt: skip
    assert json.loads(found.document) == {"heartbeat_s": 10, "updates": [update.model_dump()]}


def test_the_longest_document_with_the_longest_assignments_fits_a_node() -> None:
    assert UPDATES_MAX == node_side.UPDATES_MAX
    longest = Assignment("node-1", "knowledge", "n" * 64, "1" * 32, "t" * 150, "r" * 40, 604_800)
    many = [replace(longest, name=f"{number:064}") for number in range(UPDATES_MAX)]
    text = json.dumps({"notes": "x" * (DOCUMENT_BYTES_MAX - 12)}, separators=(",", ":")).encode()
    assert len(text) == DOCUMENT_BYTES_MAX
    row = replace(GROUP, document=text)
    found = composed(NODE, {row.scope: row}, many)
    assert found is not None
    assert len(found.document) <= NODE_BYTES_MAX
