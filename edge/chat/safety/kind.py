"""What a safety rule can find, and which way the turn then takes."""

from __future__ import annotations

from enum import StrEnum

from edge.chat.routing import Route


class Kind(StrEnum):
    """Kinds in the order in which they are answered: where two hold, the first counts."""

    SELF_HARM = "self_harm"
    EMERGENCY = "emergency"
    VIOLENCE = "violence"
    LOST_CARD = "lost_card"
    SITE = "site"
    INJECTION = "injection"
    DIAGNOSIS = "diagnosis"
    ADVICE = "advice"

    @property
    def route(self) -> Route:
        """Danger gets a card; a question for a professional a human; an attempt on the machine a refusal."""
        return _ROUTES.get(self, Route.SAFETY)

    @property
    def of_health(self) -> bool:
        """Whether who says so tells of health, which the label of a text must say."""
        return self in _OF_HEALTH


_OF_HEALTH = frozenset({Kind.SELF_HARM, Kind.EMERGENCY, Kind.DIAGNOSIS})
_ROUTES = {Kind.DIAGNOSIS: Route.HANDOFF, Kind.ADVICE: Route.HANDOFF, Kind.INJECTION: Route.REFUSE}
