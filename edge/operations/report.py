"""The data protection report for the command line and the console: operation `privacy.report`, plain JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from edge.operations.arguments import OperationArguments, read_arguments
from edge.web.admin import Arguments, OnProgress, Operation

if TYPE_CHECKING:
    from edge.privacy.report.facts import Facts


class ReportArguments(OperationArguments):
    """`postern privacy report`: takes none."""


class ReportOperations:
    """The operations, by name. `gather`: what is known of the site at the moment."""

    def __init__(self, gather: Callable[[], Awaitable[Facts]]) -> None:
        self._gather = gather

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"privacy.report": self.report}

    async def report(self, arguments: Arguments, _: OnProgress) -> object:
        """The report as a neutral document (`edge.privacy.report.document.Document`)."""
        read_arguments(ReportArguments, arguments)
        facts = await self._gather()
        # A node that is never asked for a report does not carry what makes one.
        from edge.privacy.report.assembly import report

        return report(facts).model_dump(mode="json")
