"""A question in line before the encoder, and what becomes of it when the encoder is gone.

Where it runs on several placements, the next one takes over by itself (`edge.inference.failover`). Here is what is left
when none serves: an error at once, and for one that hangs a limit, past which nobody waits until it moves again.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from core.errors import PosternError
from edge.chat.answers.answering import Considered
from edge.chat.understanding import Query
from edge.inference.scheduler import Line
from models.errors import ModelError

log = logging.getLogger(__name__)

HANGS_S: Final = 3.0
"""Beyond what a question may wait in line: thirty times what a full batch takes on two cores."""


class EncoderLost(PosternError):
    """No placement of the encoder answers."""

    code = "encoder_lost"
    title = "Our documents cannot be searched at the moment"
    remedy = "Try again after the time in Retry-After, or ask a member of staff."
    status = 503
    # A worker that died is back within a second or two, and a device is tried again as soon.
    retry_after_s = 5


class LookingUp:
    """The turns' line. Used from one event loop."""

    def __init__(self, line: Line[Query, Considered], wait_s_max: float) -> None:
        """`wait_s_max`: what the line lets a question wait."""
        self._line = line
        self._limit_s = wait_s_max + HANGS_S
        self._stood_at: int | None = None

    async def look_up(self, query: Query, caller: str | None) -> Considered:
        """What is known of the question. Raises QueueFull, EncoderLost."""
        if self._stood_at is not None and self._stood_at == self._line.ended:
            raise EncoderLost
        self._stood_at = None
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._line.submit(query, caller=caller)
        except TimeoutError:
            self._stood_at = self._line.ended
            log.error("the encoder does not answer", extra={"after_s": self._limit_s})
            raise EncoderLost from None
        except ModelError as error:
            log.error("the encoder has failed", extra={"code": error.code})
            raise EncoderLost from error
