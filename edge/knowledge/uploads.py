"""Bytes that come in from a browser: into a private file while they are taken in, gone afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from edge.knowledge.readers import check_size


@asynccontextmanager
async def received(pieces: AsyncIterable[bytes], folder: Path) -> AsyncIterator[Path]:
    """A file in `folder` with the pieces, readable by the node alone; it is removed at the end.

    Raises UnreadableDocument as soon as there are more bytes than a document may have.
    """
    file = tempfile.NamedTemporaryFile(dir=folder, prefix=".upload-")  # noqa: SIM115 - mode 0600; closed below
    try:
        size = 0
        async for piece in pieces:
            size += len(piece)
            check_size(size)
            await asyncio.to_thread(file.write, piece)
        await asyncio.to_thread(file.flush)
        yield Path(file.name)
    finally:
        await asyncio.to_thread(file.close)
