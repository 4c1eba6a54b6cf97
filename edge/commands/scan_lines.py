"""JSON lines of texts in, JSON lines of what is personal in them out, in order, as they come.

The site is opened once, by the running node or here.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import IO, Any, Final, TextIO

from edge.commands.json_lines import BadLine, JsonLines, text_of
from edge.config import SitePaths
from edge.control import operator
from edge.operations.privacy import SCAN_CHARS_MAX, SCAN_TEXTS_MAX
from edge.privacy.scanning import TEXT_CHARS_MAX

SILENT_S: Final = 2.0
"""Until a person wants to see that it moves."""

TOLD_EVERY_S: Final = 0.2
LOGGED_EVERY_S: Final = 10.0
"""Where standard error is no terminal, and lines pile up."""


@dataclass(frozen=True)
class _Line:
    id: object
    text: str


async def scan_lines(paths: SitePaths, source: IO[bytes], target: IO[bytes]) -> None:
    """Until `source` ends. Lines before a bad one are answered. Raises BadLine and what the site raises."""
    lines = JsonLines(source, _line, rows_max=SCAN_TEXTS_MAX, bytes_max=SCAN_CHARS_MAX)
    async with operator(paths) as operate, aclosing(lines.parts()) as parts:
        said = Said(sys.stderr)
        try:
            async for part in parts:
                if part.items:
                    texts = [line.text for line in part.items]
                    found: Any = await operate("privacy.scan", {"texts": texts}, lambda _: None)
                    for line, told in zip(part.items, found, strict=True):
                        target.write(json.dumps({"id": line.id, **told}, ensure_ascii=False).encode() + b"\n")
                    target.flush()
                    said.more(len(texts))
                if part.bad:
                    raise part.bad
        finally:
            said.close()


def _line(value: dict[str, object]) -> _Line:
    """Raises BadLine."""
    name, text = value.get("id"), text_of(value)
    if not isinstance(name, str | int | float | None):
        raise BadLine("has an id that is neither text nor number.", remedy=REMEDY)
    if isinstance(name, str) and not name.isascii():
        text_of({"text": name})
    if len(text) > TEXT_CHARS_MAX:
        raise BadLine(
            f"has a text of {len(text):,} characters; {TEXT_CHARS_MAX:,} is the most.",
            remedy="Cut it into several lines.",
        )
    return _Line(name, text)


REMEDY: Final = 'Write one JSON object a line: {"id": "…", "text": "…"}'


class Said:
    """How far it is, for a person: nothing at first, then now and again."""

    def __init__(self, target: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._target = target
        self._clock = clock
        self._live = target.isatty()
        self._began = clock()
        self._next = self._began + SILENT_S
        self._count = 0
        self._shown = False

    def more(self, count: int) -> None:
        """So many texts were scanned."""
        self._count += count
        now = self._clock()
        if now < self._next:
            return
        self._next = now + (TOLD_EVERY_S if self._live else LOGGED_EVERY_S)
        each_s = self._count / max(now - self._began, 1e-9)
        told = f"{self._count:,} texts scanned, {each_s:,.0f} a second"
        self._target.write(f"\r{told}" if self._live else f"{told}\n")
        self._target.flush()
        self._shown = True

    def close(self) -> None:
        """Leave the line."""
        if self._live and self._shown:
            self._target.write("\n")
