"""Queries on what providers wrote for nodes: a row a day, provider and node. No text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa

from cloud_sync.store.database import insert_of
from cloud_sync.store.schema import overflow_uses as uses

MICROS: Final = 1_000_000
"""Of the unit in which providers are paid: costs are summed as whole numbers."""


@dataclass(frozen=True)
class Use:
    """Whose spending it is."""

    day: date
    provider: str
    node_id: str


@dataclass(frozen=True)
class Spending:
    """Answers that were whole, those that were not, tokens of both; cost in millionths of the currency."""

    answers: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    new_tokens: int = 0
    cost_micros: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.answers + other.answers,
            self.failures + other.failures,
            self.prompt_tokens + other.prompt_tokens,
            self.new_tokens + other.new_tokens,
            self.cost_micros + other.cost_micros,
        )


_COUNTS = (uses.c.answers, uses.c.failures, uses.c.prompt_tokens, uses.c.new_tokens, uses.c.cost_micros)


def add_uses(connection: sa.Connection, spent: Mapping[Use, Spending]) -> None:
    """Add to the rows, or make them; other replicas may do the same at the same moment."""
    insert = insert_of(connection)
    # In one order everywhere, so that two replicas never wait for each other's rows.
    for use in sorted(spent, key=lambda use: (use.day, use.provider, use.node_id)):
        row = insert(uses).values(**vars(use), **vars(spent[use]))
        more = {column.name: column + row.excluded[column.name] for column in _COUNTS}
        connection.execute(row.on_conflict_do_update(index_elements=list(uses.primary_key), set_=more))


def spent_on(connection: sa.Connection, day: date) -> dict[str, int]:
    """Millionths that each provider cost on a day."""
    query = sa.select(uses.c.provider, sa.func.sum(uses.c.cost_micros)).where(uses.c.day == day)
    return {provider: int(sum_) for provider, sum_ in connection.execute(query.group_by(uses.c.provider))}


def spending_since(connection: sa.Connection, day: date) -> dict[tuple[str, str], Spending]:
    """(provider, node) to what was spent from a day on, that day included."""
    sums = [sa.func.sum(column) for column in _COUNTS]
    query = sa.select(uses.c.provider, uses.c.node_id, *sums).where(uses.c.day >= day)
    rows = connection.execute(query.group_by(uses.c.provider, uses.c.node_id))
    return {(provider, node): Spending(*map(int, counts)) for provider, node, *counts in rows}
