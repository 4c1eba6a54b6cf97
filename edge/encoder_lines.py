"""Part of the composition root: the lines before the encoder, with the limits that the site sets."""

from __future__ import annotations

from typing import Final

from edge import metrics
from edge.chat.answers.answering import Answering, Considered
from edge.chat.generating import Writing
from edge.chat.relay import Relay
from edge.chat.understanding import Query
from edge.config import Config, LimitsSection, ModelsSection
from edge.inference.embedding import Embeddings
from edge.inference.scheduler import Line, Scheduler
from edge.inference.waiting import Rules, Work, about_tokens
from models.catalog import generator_entry, models_dir
from models.encoder import Encoder
from models.errors import ModelMissing, ModelRefused

TURNS_A_BATCH_MAX: Final = 32
"""As many as the bench has customers. Chosen, not measured; the encoder cuts its own passes."""


CONTEXT_TOKENS_GUESS: Final = 2048
"""As the default model's; few have less."""


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


def writing(scheduler: Scheduler, encoder: Encoder, config: Config, relay: Relay) -> Writing:
    """What has answers written. A customer waits for its checks: they are in turns' class. Nothing of them is kept."""
    checks = Embeddings(
        scheduler,
        encoder,
        waiting_max=config.limits.turns_waiting_max,
        wait_s_max=config.limits.turn_wait_max_s,
        keep_s=0,
        work=Work.TURN,
        on_batch=_observe,
    )
    return Writing(config.answer, config.site.name, relay, checks, _context_tokens(config.models))


def _context_tokens(models: ModelsSection) -> int:
    """Of the site's language model. The worker counts exactly and refuses: a guess for one that is missing will do."""
    if models.llm_server.url is not None:
        return models.llm_server.context_tokens
    try:
        return generator_entry(models.llm, models_dir()).context_tokens
    except (ModelMissing, ModelRefused):
        return CONTEXT_TOKENS_GUESS


def _observe(rows: int, _: float) -> None:
    metrics.batch_rows.observe(rows)
