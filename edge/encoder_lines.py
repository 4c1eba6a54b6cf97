"""Part of the composition root: the lines before the encoder, with the limits that the site sets."""

from __future__ import annotations

from typing import Final

from edge import metrics
from edge.chat.answers.answering import Answering, Considered
from edge.chat.understanding import Query
from edge.config import LimitsSection
from edge.inference.embedding import Embeddings
from edge.inference.scheduler import Line, Scheduler
from edge.inference.waiting import Rules, Work, about_tokens
from models.encoder import Encoder

TURNS_A_BATCH_MAX: Final = 32
"""As many as the bench has customers. Chosen, not measured; the encoder cuts its own passes."""


def turns(scheduler: Scheduler, answering: Answering, limits: LimitsSection) -> Line[Query, Considered]:
    """Customers' line: one batch at a time, whose passes take every core (`models.encoder`)."""
    return scheduler.line(
        Work.TURN,
        answering,
        Rules(TURNS_A_BATCH_MAX, limits.turns_waiting_max, limits.turn_wait_max_s),
        tokens_of=lambda query: about_tokens(query.text),
        on_batch=_observe,
    )


def embeddings(scheduler: Scheduler, encoder: Encoder, limits: LimitsSection) -> Embeddings:
    """Programs' line. A vector is kept no longer than a conversation may be silent."""
    return Embeddings(
        scheduler,
        encoder,
        waiting_max=limits.api_waiting_max,
        wait_s_max=limits.api_wait_max_s,
        keep_s=limits.idle_other_s,
        on_batch=_observe,
    )


def _observe(rows: int, _: float) -> None:
    metrics.batch_rows.observe(rows)
