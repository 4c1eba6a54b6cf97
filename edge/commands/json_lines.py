"""JSON lines on standard input, in parts that fit a call, as they come.

What waits when the last part is done becomes the next one: a single line is answered at once, a file in large parts. A
thread reads a bounded number of lines ahead; whoever writes faster than they are answered waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import IO, Final, Generic, TypeVar

from core.errors import ExitCode, PosternError

T = TypeVar("T")

LINE_BYTES_MAX: Final = 1024 * 1024
"""The longest text that is taken (65,536 characters), each written as an escape of 12 bytes, and its identifier."""

LINES_AHEAD_MAX: Final = 64
"""Read ahead of their answers: one call's, 64 MB when each is as long as it may be."""


class BadLine(PosternError):
    """A line of the input cannot be read. Its text is not repeated."""

    code = "bad_line"
    title = "A line cannot be read"
    remedy = 'Write one JSON object a line: {"text": "…"}'
    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Lines(Generic[T]):
    """Lines that came together, and the error of the line behind them, if that one is bad."""

    items: list[T]
    bad: BadLine | None = None


class JsonLines(Generic[T]):
    """`parse` makes an item of a line's object, or raises BadLine, to which the number of the line is added."""

    def __init__(
        self, source: IO[bytes], parse: Callable[[dict[str, object]], T], *, rows_max: int, bytes_max: int
    ) -> None:
        """A part has at most `rows_max` lines, and no more than `bytes_max` unless one alone has."""
        self._source = source
        self._parse = parse
        self._rows_max = rows_max
        self._bytes_max = bytes_max
        self._lines: queue.Queue[bytes | None] = queue.Queue(LINES_AHEAD_MAX)
        self._held: list[bytes | None] = []
        self._number = 0

    async def parts(self) -> AsyncGenerator[Lines[T], None]:
        """Until the input ends, or behind a bad line."""
        threading.Thread(target=self._read, name="lines", daemon=True).start()
        ended, bad = False, None
        try:
            while not ended and bad is None:
                batch, ended = await asyncio.to_thread(self._waiting)
                items, bad = self._parsed(batch)
                if items or bad:
                    yield Lines(items, bad)
        finally:
            with contextlib.suppress(queue.Full):
                self._lines.put_nowait(None)  # whoever waits for a line is let go

    def _read(self) -> None:
        """A line that is longer than it may be comes as far as it was read, and ends the input."""
        line = self._source.readline(LINE_BYTES_MAX + 1)
        while line:
            self._lines.put(line)
            if len(line) > LINE_BYTES_MAX:
                break
            line = self._source.readline(LINE_BYTES_MAX + 1)
        self._lines.put(None)

    def _waiting(self) -> tuple[list[bytes], bool]:
        """At least one line, and what waits behind it; True at the end of the input."""
        line = self._held.pop() if self._held else self._lines.get()
        batch: list[bytes] = []
        size = 0
        while line is not None:
            size += len(line)
            if batch and (len(batch) == self._rows_max or size > self._bytes_max):
                self._held.append(line)
                return batch, False
            batch.append(line)
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _parsed(self, batch: list[bytes]) -> tuple[list[T], BadLine | None]:
        """The items up to the first bad line; empty lines are passed over."""
        items: list[T] = []
        for line in batch:
            self._number += 1
            if not line.strip():
                continue
            try:
                items.append(self._parse(_object(line)))
            except BadLine as bad:
                return items, BadLine(f"Line {self._number} {bad.detail}", remedy=bad.remedy)
        return items, None


def text_of(value: dict[str, object]) -> str:
    """The text of a line. Raises BadLine."""
    text = value.get("text")
    if not isinstance(text, str):
        raise BadLine("has no text.")
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        raise BadLine("has a text with half a character (a lone surrogate).")
    return text


def _object(line: bytes) -> dict[str, object]:
    if len(line) > LINE_BYTES_MAX:
        raise BadLine(f"has more than {LINE_BYTES_MAX:,} bytes.", remedy="Cut its text into several lines.")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise BadLine("is not JSON in UTF-8.") from None
    if not isinstance(value, dict):
        raise BadLine("is not a JSON object.")
    return value
