"""What an intent brings by itself: the site's standing answer, a person, the queue that a ticket goes to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.chat.intents.model import Intent
from edge.chat.routing import Route
from edge.config import IntentsSection

# The intent by which a customer asks for a person; whoever wants one gets one (both sample sites have it).
TALK_TO_HUMAN: Final = "talk_to_human"
A_PERSON = "Of course: a member of staff can help you with this."
# So that nobody takes a fixed text for something that was found.
PREFACE = "Our standing answer: "


@dataclass(frozen=True, slots=True)
class Standing:
    """What is decided by the intent alone. `text` None: the documents answer. `queue`: where a ticket would go."""

    route: Route = Route.ANSWER
    text: str | None = None
    queue: str | None = None


NOTHING_STANDING: Final = Standing()


def standing_for(intent: Intent | None, settings: IntentsSection) -> Standing:
    """The rule of the site for this intent, if it is in scope and sure enough."""
    if intent is None or not intent.in_scope or intent.confidence < settings.confidence_min:
        return NOTHING_STANDING
    rule = next((rule for rule in settings.rules if rule.intent == intent.name), None)
    queue = rule.queue if rule else None
    if rule is not None and rule.answer:
        return Standing(Route.ANSWER, PREFACE + rule.answer, queue)
    if intent.name == TALK_TO_HUMAN:
        return Standing(Route.HANDOFF, A_PERSON, queue)
    return Standing(queue=queue)
