"""People for the command line and the console: operations `privacy.subject` and `privacy.export`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from edge.operations.arguments import OperationArguments, read_arguments
from edge.privacy.people import People
from edge.web.admin import Arguments, OnProgress, Operation

SUBJECT_CHARS_MAX: Final = 100
"""A program's name for a person has 64 at most; those of conversations and tickets are shorter."""


class SubjectArguments(OperationArguments):
    """`postern privacy subject|export`: a subject, a conversation's identifier or a ticket's number; who asks."""

    subject: Annotated[str, Field(min_length=1, max_length=SUBJECT_CHARS_MAX)]
    actor: Annotated[str, Field(min_length=1, max_length=64)]


class PeopleOperations:
    """The operations, by name."""

    def __init__(self, people: People) -> None:
        self._people = people

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"privacy.subject": self.subject, "privacy.export": self.export}

    async def subject(self, arguments: Arguments, _: OnProgress) -> object:
        """What is stored of somebody, in counts."""
        wanted = read_arguments(SubjectArguments, arguments)
        return await self._people.show(wanted.subject, wanted.actor)

    async def export(self, arguments: Arguments, _: OnProgress) -> object:
        """All that is stored of somebody."""
        wanted = read_arguments(SubjectArguments, arguments)
        return await self._people.export(wanted.subject, wanted.actor)
