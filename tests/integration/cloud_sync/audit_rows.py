"""Refusals at the control plane, as its audit has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

import sqlalchemy as sa

from cloud_sync.services import ControlPlane
from cloud_sync.store.schema import audit
from tests.contract.courier_process import until

TIMEOUT_S = 20.0
Row = tuple[str, str, str, str]
"""Actor, action, subject, detail."""


async def rows(control: ControlPlane) -> Counter[Row]:
    """How often each was written down."""
    columns = (audit.c.actor, audit.c.action, audit.c.subject, audit.c.detail, audit.c.count)
    found = await control.database.run(lambda db: db.execute(sa.select(*columns)).all())
    counted = Counter[Row]()
    for actor, action, subject, detail, times in found:
        counted[actor, action, subject, detail] += times
    return counted


async def one_more(control: ControlPlane, what: Row, attempt: Callable[[], Awaitable[None]]) -> None:
    """`attempt` is refused (it asserts that itself), and `what` is counted once more."""
    before = (await rows(control))[what]
    await attempt()

    async def written() -> bool:
        return (await rows(control))[what] > before

    await until(written, TIMEOUT_S)
