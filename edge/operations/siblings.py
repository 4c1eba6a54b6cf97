"""The key that the site's nodes share: operation `siblings.key`, plain JSON in and out. It never tells the key."""

from __future__ import annotations

import asyncio

from edge.config import Config, SitePaths
from edge.keys import siblings
from edge.operations.arguments import OperationArguments, read_arguments
from edge.web.admin import Arguments, OnProgress, Operation


class KeyArguments(OperationArguments):
    """`postern siblings key`."""

    new: bool = False


class SiblingsOperations:
    """The operations, by name."""

    def __init__(self, config: Config, paths: SitePaths) -> None:
        self._config = config
        self._paths = paths

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"siblings.key": self.key}

    async def key(self, arguments: Arguments, _: OnProgress) -> object:
        """Where the key is, made if there is none, or anew; by what it is known, and what may use it."""
        wanted = read_arguments(KeyArguments, arguments)
        path = siblings.key_file(self._paths, self._config)
        made = wanted.new or not path.exists()
        key = await asyncio.to_thread(siblings.make if made else siblings.read, path)
        return {
            "key_file": str(path),
            "fingerprint": siblings.fingerprint(key),
            "made": made,
            "siblings": list(self._config.siblings.urls),
        }
