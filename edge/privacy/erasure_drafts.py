"""Erasures that have begun and are not finished: what is known of them so far, in the place of the receipt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlite_utils import Database

from core.signing import canonical_json
from edge.privacy import receipts
from edge.privacy.forgetting import UNLINKED

KNOWN_AS: Final = "known_as"
"""Not of a receipt: digests of the names under which somebody may be asked for again when no row knows them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An erasure that has begun: what its receipt will say."""

    digest: bytes
    erased_ms: int
    facts: Mapping[str, object]


def save(keys: Database, draft: Draft) -> None:
    """Put it, or its receipt, on the list of erasures."""
    keys.execute(
        "INSERT OR REPLACE INTO erasures(digest, erased_ms, receipt) VALUES (?, ?, ?)",
        [draft.digest, draft.erased_ms, canonical_json(draft.facts).decode()],
    )


def drafts(keys: Database) -> list[Draft]:
    """Erasures that have begun and are not finished."""
    rows = keys.execute("SELECT digest, erased_ms, receipt FROM erasures").fetchall()
    found = [Draft(bytes(digest), erased_ms, json.loads(receipt)) for digest, erased_ms, receipt in rows]
    return [draft for draft in found if not receipts.is_signed(draft.facts)]


def counted(facts: Mapping[str, object], counts: Mapping[str, int]) -> dict[str, object]:
    """With the rows of each table that had any: those that went, and those that stay about no one."""
    found = {table: rows for table, rows in counts.items() if rows}
    return with_earlier(
        {
            **facts,
            "removed": {table: rows for table, rows in found.items() if table not in UNLINKED},
            "unlinked": {table: rows for table, rows in found.items() if table in UNLINKED},
        },
        facts,
    )


def with_earlier(facts: Mapping[str, object], earlier: Mapping[str, object]) -> dict[str, object]:
    """What is told now, and no less than was told before of the same erasure."""
    told = dict(facts)
    for name in ("removed", "unlinked"):
        before, now = _rows(earlier, name), _rows(facts, name)
        told[name] = {table: max(before.get(table, 0), now.get(table, 0)) for table in {**before, **now}}
    told[KNOWN_AS] = sorted(known_as(facts) | known_as(earlier))
    for name, better in (("keys_shredded", max), ("conversations_ended", max), ("asked_ms", min)):
        told[name] = better(int(str(facts[name])), int(str(earlier[name])))
    told["found"] = bool(told["removed"] or told["unlinked"] or told["keys_shredded"])
    return told


def known_as(facts: Mapping[str, object]) -> frozenset[str]:
    """Digests, as hexadecimal, of the names of whom it is about."""
    found = facts.get(KNOWN_AS, ())
    assert isinstance(found, list | tuple)
    return frozenset(found)


def _rows(facts: Mapping[str, object], name: str) -> Mapping[str, int]:
    found = facts.get(name, {})
    assert isinstance(found, Mapping)
    return found
