"""An export of the audit from its first page to its last, written as it comes."""

from __future__ import annotations

import sys
import time
from typing import IO, Any, Final, TextIO

from edge.config import SitePaths
from edge.control import operator

SAID_EVERY_S: Final = 1.0


async def write_export(
    paths: SitePaths, wanted: dict[str, object], target: IO[bytes], progress: TextIO = sys.stderr
) -> int | None:
    """Lines in UTF-8 to `target`, how far it is to `progress`, where that is a terminal. How many rows are missing.

    Raises what the site raises; what was written by then is whole lines.
    """
    more: dict[str, object] = {}
    written, said_at = 0, time.monotonic()
    async with operator(paths) as operate:
        while True:
            page: Any = await operate("audit.export", {**wanted, **more}, lambda _: None)
            target.write("".join(f"{line}\n" for line in page["lines"]).encode())
            written += len(page["lines"])
            if progress.isatty() and time.monotonic() - said_at > SAID_EVERY_S:
                said_at = time.monotonic()
                progress.write(f"\r{written:,} rows")
                progress.flush()
            if page["done"]:
                break
            more = {"export": page["export"], "after": page["after"]}
    target.flush()
    if progress.isatty():
        progress.write(f"\r{written:,} rows\n")
    missing: int | None = page["missing"]
    return missing
