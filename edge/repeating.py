"""Parts of the node that look again and again: one look that fails does not end them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from edge import metrics

log = logging.getLogger(__name__)

FAILED: Final = "failed"
"""Why a part runs weaker than asked, from a look that failed to the next that does not."""


async def repeat(
    part: str,
    look: Callable[[], Awaitable[object]],
    every_s: float,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Call `look` for as long as the node runs, with `every_s` seconds between.

    Whatever it raises (a full disk, a busy store) is said once, and shown until a look succeeds again.
    """
    failing = False
    while True:
        try:
            await look()
        except Exception:
            if not failing:
                log.exception("a part of the node has failed, and is tried again", extra={"part": part})
            metrics.fall_back(part, FAILED)
            failing = True
        else:
            if failing:
                log.info("a part of the node works again", extra={"part": part})
            metrics.recover(part)  # also from what failed before the first look
            failing = False
        await pause(every_s)
