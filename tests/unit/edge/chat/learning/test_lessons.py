"""Which word about a question counts, what it says of an answer or a candidate, and what intents are added."""

from __future__ import annotations

import numpy as np
import pytest

from edge.chat.answers.features import QUESTION_FEATURES
from edge.chat.answers.reading import Reader
from edge.chat.feedback import Reason
from edge.chat.intents.examples import Example
from edge.chat.learning.intents import addition
from edge.chat.learning.judge import Answered
from edge.chat.learning.labels import (
    AnsweredBy,
    Asks,
    Label,
    LabelledQuestion,
    NotHelpful,
    Source,
    Unanswerable,
)
from edge.chat.learning.lessons import (
    CUSTOMER_WEIGHT,
    EXAMPLES_USED_MAX,
    answered,
    for_evidence,
    for_ranking,
    newest_word,
)
from edge.chat.understanding import Understood
from edge.knowledge.document import Audience, Passage
from edge.knowledge.search import IndexedChunk, IndexedDocument
from tests.unit.edge.chat.answers.site import MODEL, WordEncoder, passage, question


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


# --- what an example says of the answer that would be chosen ---

CAFE = passage("The café is open from Monday to Friday. Dogs wait outside.", doc="cafe.md", section="Café")
FEES = passage("A first visit costs £180. We send no bills by post.", doc="fees.md", section="Fees")


def understood(text: str, *passages: Passage) -> Understood:
    encoder = WordEncoder()
    reader = Reader(encoder, MODEL.directions)
    return Understood(question(text, reader, encoder), passages, reader.read(passages))


@pytest.mark.parametrize(
    ("label", "right", "weight"),
    [
        (AnsweredBy("fees.md"), True, 1.0),
        (AnsweredBy("fees.md", "Fees"), True, 1.0),
        (AnsweredBy("fees.md", "Bills"), False, 1.0),
        (AnsweredBy("cafe.md"), False, 1.0),
        (Unanswerable(), False, 1.0),
        (NotHelpful(("fees.md", "cafe.md"), Reason.WRONG), False, CUSTOMER_WEIGHT),
    ],
)
def test_the_answer_that_would_be_chosen_is_right_or_not(label: Label, right: bool, weight: float) -> None:
    found = for_evidence(label, understood("What does a first visit cost?", CAFE, FEES), MODEL)
    assert found is not None
    assert (found.right, found.weight, found.features.shape) == (right, weight, (len(QUESTION_FEATURES),))


@pytest.mark.parametrize(
    "label",
    [
        NotHelpful(("cafe.md",), Reason.WRONG),
        NotHelpful(("fees.md",), Reason.INCOMPLETE),
        NotHelpful(("fees.md",), None),
        Asks("fees"),
    ],
)
def test_what_says_nothing_of_that_answer_teaches_nothing(label: Label) -> None:
    assert for_evidence(label, understood("What does a first visit cost?", CAFE, FEES), MODEL) is None


def test_where_nothing_is_found_there_is_nothing_to_learn() -> None:
    assert for_evidence(Unanswerable(), understood("What does a first visit cost?"), MODEL) is None
    assert answered(understood("What?"), "fees.md", MODEL, 0.0) == Answered("fees.md", None, ())


@pytest.mark.parametrize(("evidence_min", "shown"), [(0.0, "fees.md"), (1.0, None)])
def test_an_answer_is_shown_from_the_threshold_on(evidence_min: float, shown: str | None) -> None:
    seen = understood("What does a first visit cost?", CAFE, FEES)
    assert answered(seen, "cafe.md", MODEL, evidence_min) == Answered(
        "cafe.md", shown, ("cafe.md", "fees.md")
    )


CHUNKS = [
    IndexedChunk(number, IndexedDocument(doc, 1, doc, Audience.PUBLIC), section, "")
    for number, (doc, section) in enumerate([("a.md", "x"), ("a.md", "y"), ("b.md", "x")])
]


@pytest.mark.parametrize(
    ("label", "right"),
    [
        (AnsweredBy("a.md"), [True, True, False]),
        (AnsweredBy("a.md", "y"), [False, True, False]),
        (AnsweredBy("c.md"), None),
        (Unanswerable(), None),
        (NotHelpful(("a.md",), Reason.WRONG), None),
    ],
)
def test_the_candidates_of_the_named_place_are_right(label: Label, right: list[bool] | None) -> None:
    found = for_ranking(label, CHUNKS, np.zeros((3, 2)))
    assert (None if found is None else found.right.tolist()) == right


def test_where_every_candidate_is_right_nothing_is_learnt() -> None:
    assert for_ranking(AnsweredBy("a.md"), CHUNKS[:2], np.zeros((2, 2))) is None
