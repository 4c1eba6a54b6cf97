"""JSON lines of texts in, JSON lines of intents out, in order, as they come.

The site is opened once, by the running node or here.
"""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import IO, Any, Final

from edge.chat.intents.commands import PREDICT_ROWS_MAX
from edge.commands.json_lines import JsonLines, text_of
from edge.config import SitePaths
from edge.control import operator

PART_BYTES_MAX: Final = 65_536
"""Of the lines of a call: utterances are short, and a call's body has a limit."""


async def predict_lines(paths: SitePaths, source: IO[bytes], target: IO[bytes]) -> None:
    """Until `source` ends. Lines before a bad one are answered. Raises BadLine and what the site raises."""
    lines = JsonLines(source, text_of, rows_max=PREDICT_ROWS_MAX, bytes_max=PART_BYTES_MAX)
    async with operator(paths) as operate, aclosing(lines.parts()) as parts:
        async for part in parts:
            if part.items:
                found: Any = await operate("intents.predict", {"texts": part.items}, lambda _: None)
                target.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in found).encode())
                target.flush()
            if part.bad:
                raise part.bad
