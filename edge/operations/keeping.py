"""What is kept, and how long, for the command line and the console: plain JSON in and out."""

from __future__ import annotations

from sqlite_utils import Database

from edge.config import RetentionSection
from edge.operations.arguments import OperationArguments, read_arguments
from edge.privacy import retention
from edge.privacy.retention import Rule
from edge.store.schema import KEY_TABLES
from edge.store.store import Store
from edge.web.admin import Arguments, OnProgress, Operation


class RetentionArguments(OperationArguments):
    """`postern privacy retention`."""


class KeepingOperations:
    """The operations, by name."""

    def __init__(self, store: Store, settings: RetentionSection) -> None:
        self._store = store
        self._rules = retention.rules(settings)

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"privacy.retention": self.retention}

    async def retention(self, arguments: Arguments, _: OnProgress) -> object:
        """For each table how long its rows are kept, how many there are, the oldest, and when that is due."""
        read_arguments(RetentionArguments, arguments)
        keys = {name: rule for name, rule in self._rules.items() if name in KEY_TABLES}
        site = {name: rule for name, rule in self._rules.items() if name not in keys}
        return [
            *await self._store.read(lambda db: [_told(db, name, rule) for name, rule in site.items()]),
            *await self._store.read_keys(lambda db: [_told(db, name, rule) for name, rule in keys.items()]),
        ]


def _told(db: Database, table: str, rule: Rule) -> dict[str, object]:
    """One line of the table."""
    (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - names of ours
    oldest = None
    if rule.dated_by:
        (oldest,) = db.execute(f"SELECT min({rule.dated_by}) FROM {table}").fetchone()  # noqa: S608 - names of ours
    return {
        "table": table,
        "kept": rule.kept,
        "rule": rule.ends,
        "rows": rows,
        "oldest_ms": None if oldest is None else rule.began_ms(oldest),
        "due_ms": None if oldest is None else rule.due_ms(oldest),
    }
