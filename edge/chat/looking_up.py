"""A question in line before the encoder, and what becomes of it when the encoder is gone.

Where it runs on several placements, the next one takes over by itself (`edge.inference.failover`). Here is what is left
when none serves: an error at once, and for one that hangs a limit, past which nobody waits until it moves again, except
one question now and then, which tries.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
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
        self._stood_at = -1
        """What `ended` was when the line was seen to stand; another number since: it moves."""
        self._again_s = 0.0

    async def look_up(self, query: Query, caller: str | None) -> Considered:
        """What is known of the question. Raises QueueFull, EncoderLost."""
        before, now_s = self._line.ended, monotonic()
        if self._stood_at == before and now_s < self._again_s:
            raise EncoderLost
        self._again_s = now_s + self._limit_s  # of a line that stands one question is the trial
        try:
            async with asyncio.timeout(self._limit_s):
                return await self._line.submit(query, caller=caller)
        except TimeoutError:
            # Where the event loop stood, the batch may have ended by now: only one that still runs can end later.
            if self._line.ended == before and self._line.running:
                self._stood_at, self._again_s = before, monotonic() + HANGS_S
            log.error("the encoder does not answer", extra={"after_s": self._limit_s})
            raise EncoderLost from None
        except ModelError as error:
            log.error("the encoder has failed", extra={"code": error.code})
            raise EncoderLost from error
