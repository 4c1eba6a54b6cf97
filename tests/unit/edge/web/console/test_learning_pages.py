"""Which of a ticket's messages a correction begins with."""

from __future__ import annotations

import pytest

from edge.web.console.learning_pages import asked_of


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ([], ""),
        ([("customer", "A person, please")], ""),
        ([("customer", "one"), ("desk", "two")], "one"),
        ([("customer", "one"), ("desk", "two"), ("customer", "three"), ("desk", "four")], "three"),
        ([("customer", "one"), ("desk", "two"), ("staff", "three"), ("customer", "four")], "one"),
    ],
)
def test_a_correction_begins_with_the_last_question_that_the_machine_answered(
    said: list[tuple[str, str]], question: str
) -> None:
    assert asked_of([{"sender": sender, "text": text} for sender, text in said]) == question
