"""What a turn answers with, and how the contract shows it. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from edge.chat import languages
from edge.chat.answers.choosing import Citation
from edge.chat.answers.clarifying import Meaning
from edge.chat.clock import Clock
from edge.chat.desk_card import DeskCard
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
    # Where nothing could be looked up: the site's prepared words, and when to ask again.
    desk: DeskCard | None = None
    retry_after_s: float | None = None
    # How the language model's own answer ended, where it began one (`generating.OUTCOMES`).
    generated: str = ""

    @property
    def prepared(self) -> bool:
        """Whether it is a fixed text, which says the same to everybody."""
        return bool(self.card or self.desk or self.language)


def _intent(intent: Intent | None) -> dict[str, object]:
    """Nulls where no model serves, or nothing was looked up."""
    if intent is None:
        return {"name": None, "confidence": 0.0, "in_scope": None}
    confidence = round(intent.confidence, CONFIDENCE_DIGITS)
    return {"name": intent.name, "confidence": confidence, "in_scope": intent.in_scope}


def body_of(
    turn_id: str, answer: Answer, finding: Finding, clock: Clock, *, recorded: bool
) -> dict[str, object]:
    """The turn's answer as the contract gives it. `recorded`: whether its row is durable."""
    card, written = answer.card or answer.desk, answer.language or answer.desk
    return {
        "turn_id": turn_id,
        "answer": answer.text,
        "citations": [citation.body() for citation in answer.citations],
        "intent": _intent(answer.intent),
        "route": answer.route,
        "card": card.body() if card else None,
        "language": written.shown() if written else None,
        "choices": [asdict(meaning) for meaning in answer.meanings],
        "conflict": answer.conflict,
        "retry_after_s": answer.retry_after_s,
        "recorded": recorded,
        "redactions": finding.types,
        "label": finding.label.value,
        "timings_ms": {
            **{stage: round(seconds * 1000, 2) for stage, seconds in clock.stages.items()},
            "total": round(clock.total_s() * 1000, 2),
        },
    }
