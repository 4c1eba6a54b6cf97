"""The operations of the command line, as the console's pages call them: one way to do each thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge.operations.arguments import BadArguments
from edge.web.admin import OnProgress, Operation, UnknownOperation

LABELS: Final = {
    "subject": "Who is meant",
    "reference": "Case",
    "since": "From",
    "until": "Until",
    "outcome": "How it ended",
    "who": "Who",
    "object": "Of what",
}
"""Fields of forms, by the argument that they fill."""


def _unseen(_: object) -> None:
    """Progress that nobody watches."""


class Calls:
    """Operations by name: `await calls("kb.show", document=…)`."""

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations

    async def __call__(self, name: str, /, *, on_progress: OnProgress = _unseen, **arguments: object) -> Any:
        """The operation's result, plain JSON. Raises the PosternError of the operation, UnknownOperation."""
        operation = self._operations.get(name)
        if operation is None:
            raise UnknownOperation
        try:
            return await operation(arguments, on_progress)
        except BadArguments as error:
            # Beside a form its own words say what to do; there is no command whose --help one could read.
            raise BadArguments(_in_words(error.detail), remedy="") from None


def _in_words(detail: str) -> str:
    """As a form calls its fields, not as an operation does."""
    name, colon, said = detail.partition(": ")
    return f"{LABELS[name]}: {said}" if colon and name in LABELS else detail
