"""The operations of the command line, as the console's pages call them: one way to do each thing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge.web.admin import OnProgress, Operation, UnknownOperation


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
        return await operation(arguments, on_progress)
