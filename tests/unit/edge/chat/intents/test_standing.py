"""What an intent brings by itself, and only when it is sure and in scope."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from edge.chat.intents.model import Intent
from edge.chat.intents.standing import NOTHING_STANDING, Standing, standing_for
from edge.chat.routing import Route
from edge.config import IntentRule, IntentsSection

SETTINGS = IntentsSection(
    confidence_min=0.7,
    rules=(
        IntentRule(intent="wifi", answer="The network is called Guest."),
        IntentRule(intent="lost_card", queue="cards"),
        IntentRule(intent="fees", answer="See the board.", queue="money"),
    ),
)


@pytest.mark.parametrize(
    ("intent", "standing"),
    [
        (None, NOTHING_STANDING),
        (
            Intent("wifi", 0.7, True),
            Standing(Route.ANSWER, "Our standing answer: The network is called Guest."),
        ),
        (Intent("wifi", 0.69, True), NOTHING_STANDING),
        (Intent("wifi", 0.99, False), NOTHING_STANDING),
        (Intent("lost_card", 0.9, True), Standing(queue="cards")),
        (Intent("fees", 0.9, True), Standing(Route.ANSWER, "Our standing answer: See the board.", "money")),
        (Intent("parking", 0.9, True), NOTHING_STANDING),
    ],
)
def test_rules(intent: Intent | None, standing: Standing) -> None:
    assert standing_for(intent, SETTINGS) == standing


def test_whoever_wants_a_person_gets_one() -> None:
    found = standing_for(Intent("talk_to_human", 0.9, True), SETTINGS)
    assert found.route is Route.HANDOFF
    assert found.text
    assert standing_for(Intent("talk_to_human", 0.9, False), SETTINGS) == NOTHING_STANDING


@pytest.mark.parametrize(
    "rules",
    [
        [{"intent": "a"}],
        [{"intent": "a", "answer": ""}],
        [{"intent": "two words", "answer": "x"}],
        [{"intent": "a", "answer": "x"}, {"intent": "a", "queue": "q"}],
        [{"intent": "a", "queue": "Not a name"}],
        [{"intent": "a", "answer": "x", "color": "red"}],
    ],
)
def test_rules_that_say_nothing_or_too_much_are_refused(rules: list[dict[str, str]]) -> None:
    with pytest.raises(ValidationError):
        IntentsSection.model_validate({"rules": rules})
