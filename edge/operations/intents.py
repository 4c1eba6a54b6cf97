"""Intents for the command line and the console: operations `intents.*`, which take plain JSON and return plain JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from edge.chat.intents import commands
from edge.chat.intents.commands import PREDICT_ROWS_MAX
from edge.chat.intents.service import Intents
from edge.operations.arguments import OperationArguments, read_arguments
from edge.web.admin import Arguments, OnProgress, Operation, Progress
from models.encoder import Encoder


class TrainArguments(OperationArguments):
    """`postern intents train`; the path is absolute. `accept`: let it serve even if it is worse."""

    path: Path
    accept: bool = False


class PredictArguments(OperationArguments):
    """`postern intents predict`, a part of its lines at a time."""

    texts: Annotated[tuple[str, ...], Field(max_length=PREDICT_ROWS_MAX)]


class ActivateArguments(OperationArguments):
    """`postern intents activate`."""

    version: int
    accept: bool = False


class NoArguments(OperationArguments):
    """Operations that take none."""


class IntentsOperations:
    """The operations, by name."""

    def __init__(self, intents: Intents, encoder: Encoder) -> None:
        self._intents = intents
        self._encoder = encoder

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {
            "intents.train": self.train,
            "intents.predict": self.predict,
            "intents.list": self.list,
            "intents.activate": self.activate,
            "intents.roll-back": self.roll_back,
        }

    async def train(self, arguments: Arguments, on_progress: OnProgress) -> object:
        """Train, judge, and let it serve unless it is worse."""
        wanted = read_arguments(TrainArguments, arguments)
        return await commands.train(
            self._intents,
            wanted.path,
            accept=wanted.accept,
            report=lambda what, done, total: on_progress(Progress(done, total, what)),
        )

    async def predict(self, arguments: Arguments, _: OnProgress) -> object:
        """One intent a text, in order."""
        wanted = read_arguments(PredictArguments, arguments)
        return await commands.predict(self._intents, self._encoder.embed, wanted.texts)

    async def list(self, arguments: Arguments, _: OnProgress) -> object:
        """All versions with their figures."""
        read_arguments(NoArguments, arguments)
        return await commands.listing(self._intents)

    async def activate(self, arguments: Arguments, _: OnProgress) -> object:
        """Let a version serve."""
        wanted = read_arguments(ActivateArguments, arguments)
        return await commands.activate(self._intents, wanted.version, accept=wanted.accept)

    async def roll_back(self, arguments: Arguments, _: OnProgress) -> object:
        """Let the version before serve again."""
        read_arguments(NoArguments, arguments)
        return await commands.roll_back(self._intents)
