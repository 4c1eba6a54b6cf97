"""Unanswered questions for the command line and the console: operations `unanswered.*`, plain JSON in and out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from edge.chat.unanswered import IDS_MAX, Unanswered
from edge.knowledge import commands
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.metadata import MetadataChange
from edge.knowledge.readers.faq import QUESTION_CHARS_MAX
from edge.operations.arguments import OperationArguments, read_arguments
from edge.operations.knowledge import ANSWER_CHARS_MAX
from edge.web.admin import Arguments, OnProgress, Operation

Ids = Annotated[tuple[int, ...], Field(min_length=1, max_length=IDS_MAX)]
Operator = Annotated[str, Field(min_length=1, max_length=64)]


class ListArguments(OperationArguments):
    """`postern unanswered list`."""


class DismissArguments(OperationArguments):
    """`postern unanswered dismiss`; `operator` is who acts."""

    ids: Ids
    operator: Operator


class AnswerArguments(DismissArguments):
    """`postern unanswered answer`: a question as one would put it, and its answer."""

    question: Annotated[str, Field(min_length=1, max_length=QUESTION_CHARS_MAX)]
    answer: Annotated[str, Field(min_length=1, max_length=ANSWER_CHARS_MAX)]
    audience: Audience = Audience.PUBLIC


class UnansweredOperations:
    """The operations, by name."""

    def __init__(self, unanswered: Unanswered, base: KnowledgeBase) -> None:
        self._unanswered = unanswered
        self._base = base

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "unanswered.list": self.list,
            "unanswered.dismiss": self.dismiss,
            "unanswered.answer": self.answer,
        }

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """Groups of similar questions, the most frequent first."""
        read_arguments(ListArguments, arguments)
        return [
            {
                "ids": list(group.ids),
                "question": group.question,
                "wordings": list(group.wordings),
                "count": len(group.ids),
                "newest_ms": group.newest_ms,
            }
            for group in await self._unanswered.groups()
        ]

    async def dismiss(self, arguments: Arguments, _: OnProgress) -> object:
        """These need no answer."""
        wanted = read_arguments(DismissArguments, arguments)
        return {"dismissed": await self._unanswered.dismiss(wanted.ids, wanted.operator)}

    async def answer(self, arguments: Arguments, _: OnProgress) -> object:
        """A draft document for them; it answers once it is approved."""
        wanted = read_arguments(AnswerArguments, arguments)
        change = MetadataChange(audience=wanted.audience, owner=wanted.operator)
        written = await commands.write(self._base, wanted.question, wanted.answer, change)
        closed = await self._unanswered.answered(wanted.ids, wanted.operator, str(written["doc"]))
        return {"doc": written["doc"], "answered": closed}
