"""Backups for the command line: operations `backup.*`, which take plain JSON and return plain JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.operations.arguments import OperationArguments, read_arguments
from edge.privacy.backup import keys_file
from edge.privacy.backup.backups import Backups
from edge.privacy.backup.places import there
from edge.web.admin import Arguments, OnProgress, Operation, Progress

PATH_CHARS_MAX = 4096
"""PATH_MAX of Linux."""


class MakeArguments(OperationArguments):
    """`postern backup`. `file`: from the root, for the node has a working folder of its own."""

    file: Annotated[str, Field(min_length=1, max_length=PATH_CHARS_MAX)]
    replace: bool = False


class ListArguments(OperationArguments):
    """`backup.list` takes none."""


class BackupOperations:
    """The operations, by name."""

    def __init__(self, backups: Backups) -> None:
        self._backups = backups

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"backup.make": self.make, "backup.list": self.listing}

    async def make(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Write a backup, and people's keys beside it."""
        wanted = read_arguments(MakeArguments, arguments)

        def report(what: str, done: int, total: int) -> None:
            on_progress(Progress(done, total, what))

        made = await self._backups.make(Path(wanted.file), report, replace=wanted.replace)
        return {
            "id": made.id,
            "file": str(made.file),
            "keys_file": str(made.keys_file),
            "bytes": made.size,
            "made_ms": made.made_ms,
            "left_out": self._backups.left_out(),
        }

    async def listing(self, arguments: Arguments, _: OnProgress) -> object:
        """Every backup that was made, newest first, and whether the keys beside it are where they were written."""
        read_arguments(ListArguments, arguments)
        listed = await self._backups.listing()
        reached = await there([made.keys_file for made in listed])
        return [
            {
                "id": made.id,
                "made_ms": made.made_ms,
                "file": str(made.file),
                "bytes": made.size,
                "keys_file": keys_file.REWRITTEN if made.keys_file in reached else keys_file.NOT_THERE,
            }
            for made in listed
        ]
