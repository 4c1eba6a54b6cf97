"""Which way an answer takes. Pure: a table of rules over what is known before anything is awaited."""

from __future__ import annotations

from enum import StrEnum


class Route(StrEnum):
    """How a turn is answered; the names are part of the contract."""

    ANSWER = "answer"
    GENERATE = "generate"
    OVERFLOW = "overflow"
    CLARIFY = "clarify"
    HANDOFF = "handoff"
    REFUSE = "refuse"
    SAFETY = "safety"


def decide(
    *, evidence: float, evidence_min: float, competing: bool, generative: bool, worker_ready: bool
) -> Route:
    """No evidence, no answer: a question back where two passages compete, else a human.

    Words of the model's own only where the site asked for them.
    """
    if evidence < evidence_min:
        return Route.CLARIFY if competing else Route.HANDOFF
    if generative and worker_ready:
        return Route.GENERATE
    return Route.ANSWER
