"""Which word about a question counts, and what intents are added."""

from __future__ import annotations

from edge.chat.feedback import Reason
from edge.chat.intents.examples import Example
from edge.chat.learning.intents import addition
from edge.chat.learning.labels import (
    AnsweredBy,
    Asks,
    Label,
    LabelledQuestion,
    NotHelpful,
    Source,
    Unanswerable,
)
from edge.chat.learning.lessons import EXAMPLES_USED_MAX, newest_word


def said(number: int, text: str, label: Label) -> LabelledQuestion:
    source = Source.FEEDBACK if isinstance(label, NotHelpful) else Source.CORRECTION
    return LabelledQuestion(number, number, text, label, source)


CLICK = NotHelpful(("a.md",), Reason.WRONG)


def test_staff_are_heard_before_customers_and_the_newest_word_before_older_ones() -> None:
    examples = [
        said(9, "Where?", CLICK),
        said(8, "where? ", Unanswerable()),
        said(7, "Where?", AnsweredBy("b.md")),
        said(6, "When?", CLICK),
        said(5, "When?", NotHelpful(("b.md",), None)),
    ]
    assert [one.id for one in newest_word(examples)] == [8, 6]


def test_the_newest_examples_are_used() -> None:
    examples = [
        said(number, f"Question {number}?", Unanswerable()) for number in range(EXAMPLES_USED_MAX + 5, 0, -1)
    ]
    used = newest_word(examples)
    assert len(used) == EXAMPLES_USED_MAX
    assert used[0].id == examples[0].id
    assert newest_word(examples[:EXAMPLES_USED_MAX]) == used


def test_what_staff_say_of_an_intent_puts_right_what_was_known() -> None:
    known = [Example("Where do I park?", "hours"), Example("When?", "hours")]
    found = addition(
        known,
        [
            said(4, "where do I park?", Asks("parking")),
            said(3, "Where do I park?", Asks("hours")),
            said(2, "When?", Asks("hours")),
            said(1, "A dragon?", Asks("dragons")),
            said(0, "Bikes?", Unanswerable()),
        ],
        {"parking", "hours"},
    )
    assert found.new == (Example("where do I park?", "parking"),)
    assert set(found.examples) == {*found.new, Example("When?", "hours")}
