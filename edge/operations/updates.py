"""Updates from the control plane for the command line and the console: plain JSON out."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.site import NoArguments
from edge.store.store import Store
from edge.updates import rows
from edge.updates.removing import Removing
from edge.updates.rows import UpdateRow
from edge.updates.wanted import NAME
from edge.web.admin import Arguments, OnProgress, Operation


class RemoveArguments(OperationArguments):
    """`postern updates remove`. `update`: kind and name. `yes`: that more text may leave without a policy is meant.

    `gone`: there is no control plane any more that wants it.
    """

    update: tuple[Literal["model", "knowledge", "policy", "software"], Annotated[str, Field(pattern=NAME)]]
    yes: bool = False
    gone: bool = False


class UpdatesOperations:
    """The operations, by name."""

    def __init__(self, store: Store, removing: Removing) -> None:
        self._store = store
        self._removing = removing

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"updates.show": self.show, "updates.remove": self.remove}

    async def show(self, arguments: Arguments, _: OnProgress) -> object:
        """All updates that this node knows of, newest first."""
        read_arguments(NoArguments, arguments)
        return [told(row) for row in await self._store.read(rows.listing)]

    async def remove(self, arguments: Arguments, _: OnProgress) -> object:
        """Take off a policy or a pack that was kept. Raises UpdateStays, NoSuchUpdate."""
        asked = read_arguments(RemoveArguments, arguments)
        now_ms = time.time_ns() // 1_000_000
        removed = await self._removing.remove(*asked.update, now_ms, looser=asked.yes, gone=asked.gone)
        return asdict(removed)


def told(row: UpdateRow) -> dict[str, object]:
    """An update as people and programs see it."""
    update, standing, noted = row.update, row.standing, row.noted
    return {
        "kind": update.kind,
        "name": update.name,
        "version": update.version,
        "rollout": update.rollout,
        "step": standing.step.value,
        "state": standing.end.value if standing.end else "running",
        "reason": standing.reason,
        "tries": standing.tries,
        **asdict(noted.figures),
        "bytes_fetched": noted.bytes_fetched,
        "bytes_present": noted.bytes_present,
        "changed_ms": row.changed_ms,
    }
