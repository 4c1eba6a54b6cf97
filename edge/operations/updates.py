"""Updates from the control plane for the command line and the console: plain JSON out."""

from __future__ import annotations

from dataclasses import asdict

from edge.operations.arguments import read_arguments
from edge.operations.site import NoArguments
from edge.store.store import Store
from edge.updates import rows
from edge.updates.rows import UpdateRow
from edge.web.admin import Arguments, OnProgress, Operation


class UpdatesOperations:
    """The operations, by name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"updates.show": self.show}

    async def show(self, arguments: Arguments, _: OnProgress) -> object:
        """All updates that this node knows of, newest first."""
        read_arguments(NoArguments, arguments)
        return [told(row) for row in await self._store.read(rows.listing)]


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
