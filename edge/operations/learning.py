"""Corrections for the command line and the console: `examples.*` and `learn.*`, plain JSON in and out."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from edge.chat.intents.examples import TEXT_CHARS_MAX
from edge.chat.learning.examples import Examples
from edge.chat.learning.labels import AnsweredBy, Asks, ExampleKind, Label, Unanswerable
from edge.chat.learning.rows import LISTED_MAX
from edge.chat.learning.service import Learning
from edge.operations.arguments import OperationArguments, read_arguments
from edge.store.site_models import ModelKind
from edge.web.admin import Arguments, OnProgress, Operation, Progress

# What a listing shows unless it is asked for more: a screen that a person looks through.
LISTED = 100


class AddExampleArguments(OperationArguments):
    """`postern examples add`: exactly one of `document`, `unanswerable` and `intent`."""

    text: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)]
    document: Annotated[str, Field(min_length=1)] | None = None
    section: str = ""
    unanswerable: bool = False
    intent: Annotated[str, Field(min_length=1)] | None = None
    golden: bool = False

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.document is not None) + self.unanswerable + (self.intent is not None) != 1:
            raise ValueError("say one thing of the question: a document, that none answers, or an intent")
        if self.golden and (self.intent is not None or self.section):
            raise ValueError("a golden question has a document, or none")
        return self

    def label(self) -> Label:
        """What is said of the question."""
        if self.intent is not None:
            return Asks(self.intent)
        return self.answer()

    def answer(self) -> AnsweredBy | Unanswerable:
        """The same where it is no intent."""
        return Unanswerable() if self.document is None else AnsweredBy(self.document, self.section)


class ListExamplesArguments(OperationArguments):
    """`postern examples list`."""

    kind: ExampleKind | None = None
    count: Annotated[int, Field(ge=1, le=LISTED_MAX)] = LISTED


class RemoveExampleArguments(OperationArguments):
    """`postern examples remove`."""

    id: int


class NoArguments(OperationArguments):
    """Operations that take none."""


class RollBackArguments(OperationArguments):
    """`postern learn --roll-back`; without a kind all that the newest learning changed."""

    kind: ModelKind | None = None


class LearningOperations:
    """The operations, by name."""

    def __init__(self, examples: Examples, learning: Learning) -> None:
        self._examples = examples
        self._learning = learning

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "examples.add": self.add,
            "examples.list": self.list,
            "examples.remove": self.remove,
            "learn.run": self.run,
            "learn.history": self.history,
            "learn.roll_back": self.roll_back,
        }

    async def add(self, arguments: Arguments, _: OnProgress) -> object:
        """Keep what staff say of a question, to learn from or to judge by."""
        wanted = read_arguments(AddExampleArguments, arguments)
        if wanted.golden:
            return await self._examples.add_golden(wanted.text, wanted.answer())
        return await self._examples.add(wanted.text, wanted.label())

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """The newest examples."""
        wanted = read_arguments(ListExamplesArguments, arguments)
        return await self._examples.listing(wanted.kind, wanted.count)

    async def remove(self, arguments: Arguments, _: OnProgress) -> object:
        """Forget an example."""
        return await self._examples.remove(read_arguments(RemoveExampleArguments, arguments).id)

    async def run(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Learn from all examples; what is better serves."""
        read_arguments(NoArguments, arguments)
        return await self._learning.run(lambda what, done, total: on_progress(Progress(done, total, what)))

    async def history(self, arguments: Arguments, _: OnProgress) -> object:
        """All versions that were learnt, with the figures of their gate."""
        read_arguments(NoArguments, arguments)
        return await self._learning.history()

    async def roll_back(self, arguments: Arguments, _: OnProgress) -> object:
        """Let serve what served before."""
        return await self._learning.roll_back(read_arguments(RollBackArguments, arguments).kind)
