"""People for the command line and the console: found, shown, exported, what they agreed to; plain JSON in and out."""

from __future__ import annotations

from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.subjects import Actor, Subject
from edge.privacy.people import People
from edge.web.admin import Arguments, OnProgress, Operation


class FindArguments(OperationArguments):
    """A subject, a conversation's identifier or a ticket's number."""

    subject: Subject


class SubjectArguments(FindArguments):
    """`postern privacy subject|export|consents`; `actor` is who asks."""

    actor: Actor


class PeopleOperations:
    """The operations, by name."""

    def __init__(self, people: People) -> None:
        self._people = people

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "privacy.find": self.find,
            "privacy.subject": self.subject,
            "privacy.export": self.export,
            "privacy.consents": self.consents,
        }

    async def find(self, arguments: Arguments, _: OnProgress) -> object:
        """Who is meant, before anything of theirs is shown."""
        wanted = read_arguments(FindArguments, arguments)
        return {"subject": (await self._people.find(wanted.subject)).subject}

    async def subject(self, arguments: Arguments, _: OnProgress) -> object:
        """What is stored of somebody, in counts."""
        wanted = read_arguments(SubjectArguments, arguments)
        return await self._people.show(wanted.subject, wanted.actor)

    async def export(self, arguments: Arguments, _: OnProgress) -> object:
        """All that is stored of somebody."""
        wanted = read_arguments(SubjectArguments, arguments)
        return await self._people.export(wanted.subject, wanted.actor)

    async def consents(self, arguments: Arguments, _: OnProgress) -> object:
        """What somebody was told and agreed to, oldest first."""
        wanted = read_arguments(SubjectArguments, arguments)
        return await self._people.consents(wanted.subject, wanted.actor)
