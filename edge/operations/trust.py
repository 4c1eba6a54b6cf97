"""Whose updates this site trusts, for the command line: operations `trust.*`."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field

from edge.operations.arguments import OperationArguments, read_arguments
from edge.web.admin import Arguments, OnProgress, Operation

if TYPE_CHECKING:
    from edge.egress.fetch.order import RepositoryName

# A root has some 2 KB; this is what the library takes.
ROOT_CHARACTERS_MAX: Final = 64 * 1024
RootText = Annotated[str, Field(min_length=1, max_length=ROOT_CHARACTERS_MAX)]


class ShowArguments(OperationArguments):
    """`postern trust show`."""


class SetArguments(OperationArguments):
    """`postern trust set`. Texts of roots; None: stays as it is."""

    vendor: RootText
    director: RootText | None = None


class TrustOperations:
    """The operations, by name."""

    def __init__(self, folder: Path) -> None:
        """`folder`: where the roots are."""
        self._folder = folder

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"trust.show": self.show, "trust.set": self.set}

    async def show(self, arguments: Arguments, _: OnProgress) -> object:
        """The roots in force, newest first seen."""
        read_arguments(ShowArguments, arguments)
        return await asyncio.to_thread(self._shown)

    async def set(self, arguments: Arguments, _: OnProgress) -> object:
        """Trust the roots that somebody brought, in the place of any before. Raises InvalidRoot."""
        asked = read_arguments(SetArguments, arguments)
        # Here, because the library is nothing that a node without updates should carry.
        from edge.updates.trust import keep_root
        from edge.updates.tuf_client import read_root

        read_root(asked.vendor.encode())
        if asked.director is not None:
            await asyncio.to_thread(keep_root, self._folder, "director", asked.director.encode())
        await asyncio.to_thread(keep_root, self._folder, "vendor", asked.vendor.encode())
        return await asyncio.to_thread(self._shown)

    def _shown(self) -> dict[str, object]:
        from edge.updates.trust import newest_root
        from edge.updates.tuf_client import read_root

        repositories: tuple[RepositoryName, ...] = ("vendor", "director")
        shown: dict[str, object] = {}
        for repository in repositories:
            content = newest_root(self._folder, repository)
            shown[repository] = content and {
                "sha256": sha256(content).hexdigest(),
                "expires": read_root(content).expires.isoformat(),
            }
        return shown
