"""What is wanted of one node, put together from its group's state or its own, and what it is assigned. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from cloud_sync.store.assignments import Assignment
from cloud_sync.store.desired import DesiredRow, group_scope, node_scope
from cloud_sync.store.nodes import ACTIVE, NodeRow, Steered
from core.signing import canonical_json, content_hash

UPDATES: Final = "updates"
"""The part of a document that only assignments write."""
# As many as a node takes.
UPDATES_MAX: Final = 16
# Nodes of a rollout have the same document until the next change; a fleet has a few groups and rollouts at a time.
_REMEMBERED: Final = 128
_NOTHING: Final = b"{}"

_Update = tuple[str, str, str, str, str, int]


def composed(
    node: Steered | NodeRow, wanted: Mapping[str, DesiredRow], assigned: Sequence[Assignment]
) -> DesiredRow | None:
    """What is wanted of a node, under the newest generation of all its parts; None when nothing ever was.

    Its own state replaces its group's, unless it was taken back. Of a revoked node nothing is wanted.
    """
    found = [wanted.get(scope) for scope in (node_scope(node.id), group_scope(node.group_name))]
    rows = [row for row in found if row is not None]
    generation = max([node.steered_generation, *(row.generation for row in rows)])
    if not generation or node.status != ACTIVE:
        return None
    chosen = next((row for row in rows if row.document), None)
    updates = tuple(
        (one.kind, one.name, one.version, one.target, one.rollout_id, one.watch_s) for one in assigned
    )
    document, digest = _with_updates(chosen.document if chosen else _NOTHING, updates)
    return DesiredRow(generation, chosen.scope if chosen else node_scope(node.id), digest, document)


@lru_cache(_REMEMBERED)
def _with_updates(document: bytes, updates: tuple[_Update, ...]) -> tuple[bytes, bytes]:
    if updates:
        names = ("kind", "name", "version", "target", "rollout", "watch_s")
        whole = json.loads(document) | {UPDATES: [dict(zip(names, one, strict=True)) for one in updates]}
        document = canonical_json(whole)
    return document, content_hash(document)
