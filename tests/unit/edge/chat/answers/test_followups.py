"""Questions that lean on the one before, and questions that only look so."""

from __future__ import annotations

import pytest

from edge.chat.answers.followups import joined, leans


@pytest.mark.parametrize(
    "question",
    [
        "and on Saturday?",
        "how much is that?",
        "What about children?",
        "Do I need an appointment for it?",
        "When?",
        "how long",
    ],
)
def test_these_lean(question: str) -> None:
    assert leans(question)


@pytest.mark.parametrize(
    "question",
    [
        "When is the pharmacy open on Saturday?",
        "Is there a car park?",
        "Is it possible to pay by card?",
        "How much does a copy of my medical record cost?",
        "Are you open this Saturday?",
        "Does this clinic have a pharmacy?",
        "I lost the letter that you sent me about the eye test, can I get a copy?",
    ],
)
def test_these_stand_alone(question: str) -> None:
    assert not leans(question)


def test_joined_text_says_where_the_later_question_begins() -> None:
    text, at = joined("When is the pharmacy open on weekdays?", "and on Saturday?")
    assert text == "When is the pharmacy open on weekdays? on Saturday?"
    assert text[at:] == "on Saturday?"


def test_a_lead_in_alone_is_kept() -> None:
    text, at = joined("Where is it?", "and?")
    assert text[at:] == "?"
