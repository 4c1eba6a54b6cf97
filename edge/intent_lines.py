"""JSON lines of texts in, JSON lines of intents out, in order, as they come.

What waits on standard input when the last answer is written becomes the next call: a single line is answered at once,
a file in large parts. The site is opened once, by the running node or here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
from typing import IO, Any, Final

from core.errors import ExitCode, PosternError
from edge.chat.intents.commands import PREDICT_ROWS_MAX
from edge.config import SitePaths
from edge.control import operator

# Lines that are read ahead of their answers; past it whoever writes them waits.
LINES_WAITING_MAX: Final = 1024


class BadLine(PosternError):
    """A line of the input is no JSON object with a text."""

    code = "bad_line"
    title = "A line cannot be read"
    remedy = 'Write one JSON object a line: {"text": "…"}'
    exit_code = ExitCode.USAGE


async def predict_lines(paths: SitePaths, source: IO[bytes], target: IO[bytes]) -> None:
    """Until `source` ends. Lines before a bad one are answered. Raises BadLine and what the site raises."""
    lines: queue.Queue[bytes | None] = queue.Queue(LINES_WAITING_MAX)
    threading.Thread(target=_read, args=(source, lines), name="lines", daemon=True).start()
    number, ended = 0, False
    try:
        async with operator(paths) as operate:
            while not ended:
                batch, ended = await asyncio.to_thread(_waiting, lines)
                texts, bad = _texts(batch)
                if texts:
                    found: Any = await operate("intents.predict", {"texts": texts}, lambda _: None)
                    target.write(
                        "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found).encode()
                    )
                    target.flush()
                if bad:
                    raise BadLine(
                        f"Line {number + len(texts) + 1} is no JSON object with a text (empty lines are not counted)."
                    )
                number += len(batch)
    finally:
        with contextlib.suppress(queue.Full):
            lines.put_nowait(None)  # whoever waits for a line is let go


def _read(source: IO[bytes], lines: queue.Queue[bytes | None]) -> None:
    for line in source:
        if line.strip():
            lines.put(line)
    lines.put(None)


def _waiting(lines: queue.Queue[bytes | None]) -> tuple[list[bytes], bool]:
    """At least one line, and what waits behind it; True at the end of the input."""
    batch: list[bytes] = []
    line = lines.get()
    while line is not None:
        batch.append(line)
        if len(batch) == PREDICT_ROWS_MAX:
            return batch, False
        try:
            line = lines.get_nowait()
        except queue.Empty:
            return batch, False
    return batch, True


def _texts(batch: list[bytes]) -> tuple[list[str], bool]:
    """The texts up to the first bad line, and whether there is one."""
    texts: list[str] = []
    for line in batch:
        try:
            value = json.loads(line)
        except ValueError:
            return texts, True
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            return texts, True
        texts.append(value["text"])
    return texts, False
