"""Privacy for the command line: operations `privacy.*`, which take plain JSON and return plain JSON."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from edge import metrics
from edge.inference.scheduler import RETRY_AFTER_S_MIN, QueueFull
from edge.operations.arguments import OperationArguments, read_arguments
from edge.privacy.scanning import TEXT_CHARS_MAX, Scanner, told
from edge.web.admin import Arguments, OnProgress, Operation
from models.detect.detector import Finding

SCAN_TEXTS_MAX: Final = 64
"""Of a call: a quarter of a second's work."""

SCAN_CHARS_MAX: Final = TEXT_CHARS_MAX
"""Of a call's texts together; all of it escaped fits the admin socket's bodies (1 MiB)."""

PATIENCE_S: Final = 120.0
"""How long a command waits for a node that is too busy to take its texts on."""


PAUSE_S_MAX: Final = 2.0


class ScanArguments(OperationArguments):
    """`postern privacy scan`, a part of its lines at a time."""

    texts: Annotated[tuple[str, ...], Field(max_length=SCAN_TEXTS_MAX)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if sum(map(len, self.texts)) > SCAN_CHARS_MAX:
            raise ValueError(f"the texts have more than {SCAN_CHARS_MAX:,} characters together")
        return self


class PrivacyOperations:
    """The operations, by name."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    def table(self) -> dict[str, Operation]:
        """Operations by name."""
        return {"privacy.scan": self.scan}

    async def scan(self, arguments: Arguments, _: OnProgress) -> object:
        """What is personal in each text, in order."""
        texts = read_arguments(ScanArguments, arguments).texts
        found = await self._patiently(texts)
        for finding in found:
            metrics.count_entities(finding.spans)
        return [told(text, finding) for text, finding in zip(texts, found, strict=True)]

    async def _patiently(self, texts: Sequence[str]) -> list[Finding]:
        """A file waits where a program is told to come back. Raises as `Scanner.scan_all`."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                return await self._scanner.scan_all(texts)
            except QueueFull as busy:
                # Only passes mend a prediction that was wrong: to wait as long as it says would take them away.
                pause_s = min(busy.retry_after_s or RETRY_AFTER_S_MIN, PAUSE_S_MAX)
                if time.monotonic() + pause_s > give_up_at:
                    raise
                await asyncio.sleep(pause_s)
