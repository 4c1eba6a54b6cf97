"""What a turn answers with, and how the contract shows it. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from edge.chat import languages
from edge.chat.answers.choosing import Citation
from edge.chat.answers.clarifying import Meaning
from edge.chat.clock import Clock
from edge.chat.intents.model import Intent
from edge.chat.intents.standing import NOTHING_STANDING, Standing
from edge.chat.routing import Route
from edge.chat.safety.card import SafetyCard
from models.detect.detector import Finding

CONFIDENCE_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole."""

    text: str
    citations: tuple[Citation, ...]
    route: Route
    card: SafetyCard | None = None
    intent: Intent | None = None
    # Decided by the intent alone: the site's own words, and where a ticket about it goes.
    standing: Standing = NOTHING_STANDING
    language: languages.Sentence | None = None
    meanings: tuple[Meaning, ...] = ()
    conflict: bool = False
    # How the language model's own answer ended, where it began one (`generating.OUTCOMES`).
    generated: str = ""


def _intent(intent: Intent | None) -> dict[str, object]:
    """Nulls where no model serves, or nothing was looked up."""
    if intent is None:
        return {"name": None, "confidence": 0.0, "in_scope": None}
    confidence = round(intent.confidence, CONFIDENCE_DIGITS)
    return {"name": intent.name, "confidence": confidence, "in_scope": intent.in_scope}


def body_of(turn_id: str, answer: Answer, finding: Finding, clock: Clock) -> dict[str, object]:
    """The turn's answer as the contract gives it."""
    return {
        "turn_id": turn_id,
        "answer": answer.text,
        "citations": [citation.body() for citation in answer.citations],
        "intent": _intent(answer.intent),
        "route": answer.route,
        "card": answer.card.body() if answer.card else None,
        "language": answer.language.shown() if answer.language else None,
        "choices": [asdict(meaning) for meaning in answer.meanings],
        "conflict": answer.conflict,
        "redactions": finding.types,
        "label": finding.label.value,
        "timings_ms": {
            **{stage: round(seconds * 1000, 2) for stage, seconds in clock.stages.items()},
            "total": round(clock.total_s() * 1000, 2),
        },
    }
