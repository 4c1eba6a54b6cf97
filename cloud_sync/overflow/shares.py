"""Who wrote how much in place of nodes, and at what price, as the page and the command show it. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cloud_sync.config import OverflowSettings, ProviderSettings
from cloud_sync.store.database import Database
from cloud_sync.store.overflow import MICROS, Spending, spending_since

MONTH = timedelta(days=30)
"""Today is the last of these days."""

_Spent = Mapping[tuple[str, str], Spending]


@dataclass(frozen=True)
class UseView:
    """Of one provider or node in some time; `share` of all whole answers, 0 to 1; None while there are none."""

    answers: int
    failures: int
    share: float | None
    prompt_tokens: int
    new_tokens: int
    cost: float


@dataclass(frozen=True)
class ProviderView:
    """One provider. `state` and `last_error` are known where it runs, in this process; else empty."""

    name: str
    kind: str
    """Empty for one that the settings do not name any more."""
    model: str
    today: UseView
    month: UseView
    daily_budget: float | None
    budget_left: float | None
    state: str = ""
    last_error: str = ""


@dataclass(frozen=True)
class NodeUseView:
    """What one node asked for."""

    node: str
    month: UseView


@dataclass(frozen=True)
class OverflowView:
    """Everything about overflow."""

    enabled: bool
    currency: str
    providers: tuple[ProviderView, ...]
    nodes: tuple[NodeUseView, ...]


@dataclass(frozen=True)
class Standing:
    """How a provider of this process is."""

    state: str
    last_error: str


class Shares:
    """Days are those of UTC, as the budgets' are."""

    def __init__(self, database: Database, settings: OverflowSettings, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self.standings: Callable[[], Mapping[str, Standing]] = dict
        """By provider; set where providers run."""

    async def view(self) -> OverflowView:
        """As of the last save, which is seconds old at most. Raises StoreUnavailable."""
        today = self._clock().date()

        def read(connection: sa.Connection) -> tuple[_Spent, _Spent]:
            return spending_since(connection, today), spending_since(connection, today - MONTH + _DAY)

        return overflow_view(self._settings, *await self._database.run(read), self.standings())


_DAY = timedelta(days=1)


def overflow_view(
    settings: OverflowSettings, today: _Spent, month: _Spent, standings: Mapping[str, Standing]
) -> OverflowView:
    """Pure. Providers in their order, then those that the settings do not name any more; the busiest nodes first."""
    named: dict[str, ProviderSettings | None] = dict.fromkeys(sorted({provider for provider, _ in month}))
    offered: dict[str, ProviderSettings | None] = {one.name: one for one in settings.offered}
    providers = [
        _provider(name, one, _sums(today, 0), _sums(month, 0), standings.get(name, Standing("", "")))
        for name, one in (offered | {name: None for name in named if name not in offered}).items()
    ]
    nodes = _sums(month, 1)
    busiest = sorted(nodes, key=lambda node: (-nodes[node].answers, node))
    whole = sum(spending.answers for spending in nodes.values())
    return OverflowView(
        settings.enabled,
        settings.currency,
        tuple(providers),
        tuple(NodeUseView(node, _use(nodes[node], whole)) for node in busiest),
    )


def _provider(
    name: str,
    settings: ProviderSettings | None,
    today: Mapping[str, Spending],
    month: Mapping[str, Spending],
    standing: Standing,
) -> ProviderView:
    now, budget = today.get(name, Spending()), settings.daily_budget if settings else None
    return ProviderView(
        name=name,
        kind=settings.kind if settings else "",
        model=settings.model if settings else "",
        today=_use(now, _whole(today)),
        month=_use(month.get(name, Spending()), _whole(month)),
        daily_budget=budget,
        budget_left=None if budget is None else max(0.0, budget - now.cost_micros / MICROS),
        state=standing.state,
        last_error=standing.last_error,
    )


def _use(spending: Spending, whole: int) -> UseView:
    return UseView(
        spending.answers,
        spending.failures,
        spending.answers / whole if whole else None,
        spending.prompt_tokens,
        spending.new_tokens,
        spending.cost_micros / MICROS,
    )


def _sums(spent: _Spent, place: int) -> dict[str, Spending]:
    """By provider (0) or node (1)."""
    found: dict[str, Spending] = {}
    for key, spending in spent.items():
        found[key[place]] = found.get(key[place], Spending()) + spending
    return found


def _whole(spent: Mapping[str, Spending]) -> int:
    return sum(spending.answers for spending in spent.values())
