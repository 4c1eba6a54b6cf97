"""What a test of purging by age needs: the keeper, and single rows."""

from __future__ import annotations

from edge.chat.session import Sessions
from edge.config import LimitsSection, RetentionSection
from edge.privacy.retaining import Retaining
from edge.store.store import Store
from tests import aged_rows
from tests.aged_rows import AgedRow, Clocks

NOTICE = "in force"


async def no_pause(_: float) -> None:
    return


def retaining_of(store: Store, clocks: Clocks, settings: RetentionSection | None = None) -> Retaining:
    return Retaining(
        store,
        settings or RetentionSection(),
        NOTICE,
        lambda: True,
        Sessions(store, LimitsSection()).forget_idle,
        clocks=clocks,
        pause=no_pause,
    )


async def put(store: Store, table: str, dated: int, mark: str = "mark-x-0-") -> None:
    await aged_rows.put(store, [AgedRow(table, mark, dated, 0)])
