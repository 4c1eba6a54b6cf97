"""What examples teach each model, once their questions are understood. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge.chat.answers.choosing import Choice, choose
from edge.chat.answers.features import question_features, sentence_features
from edge.chat.answers.model import AnswerModel
from edge.chat.intents.examples import normal
from edge.chat.learning.fitting import Judged, Ranking
from edge.chat.learning.judge import Answered
from edge.chat.learning.labels import AnsweredBy, Label, LabelledQuestion, NotHelpful, Source, Unanswerable
from edge.chat.understanding import Understood
from edge.knowledge.features import Floats
from edge.knowledge.search import IndexedChunk

# Fewer teach chance rather than a habit of the site's questions.
EXAMPLES_MIN = 10
# The newest that are learnt from: some minutes of work on two cores beside turns.
EXAMPLES_USED_MAX = 2_000
# A customer's word against an answer, a staff member's being 1: people err, and some play.
CUSTOMER_WEIGHT = 0.5


def newest_word(examples: Iterable[LabelledQuestion]) -> list[LabelledQuestion]:
    """One example a question: what staff said of it, else the newest word of a customer. `examples`: newest first."""
    found: dict[str, LabelledQuestion] = {}
    some = list(examples)
    for one in sorted(some, key=lambda example: example.source is Source.FEEDBACK):
        found.setdefault(normal(one.text), one)
    kept = {one.id for one in found.values()}
    return [one for one in some if one.id in kept][:EXAMPLES_USED_MAX]


def too_few(count: int) -> str:
    """Why a kind of model is not learnt."""
    return f"It needs {EXAMPLES_MIN} examples that tell it something; there are {count} so far."


def label_of(document: str | None) -> AnsweredBy | Unanswerable:
    """What a golden question says, as an example would."""
    return Unanswerable() if document is None else AnsweredBy(document)


def answered(seen: Understood, document: str | None, model: AnswerModel, evidence_min: float) -> Answered:
    """What the desk would do with a question that `document` answers."""
    choice = choose(seen.question, seen.passages, seen.readings, model)
    shown = choice.best.passage.doc if choice and choice.evidence >= evidence_min else None
    return Answered(document, shown, tuple(passage.doc for passage in seen.passages))


def for_evidence(label: Label, seen: Understood, model: AnswerModel) -> Judged | None:
    """What the example says of the answer that would be chosen; None when it says nothing of it."""
    candidates, table = sentence_features(seen.question, seen.passages, seen.readings, model.tokens)
    choice = choose(seen.question, seen.passages, seen.readings, model)
    right = None if choice is None else _is_right(label, choice)
    if choice is None or right is None:
        return None
    row = question_features(seen.question, candidates, table, choice.log_odds)
    return Judged(row, right, 1.0 if isinstance(label, AnsweredBy | Unanswerable) else CUSTOMER_WEIGHT)


def for_ranking(label: Label, chunks: Sequence[IndexedChunk], features: Floats) -> Ranking | None:
    """Which of a question's candidates are right; None when the example does not say, or none is, or all are."""
    if not isinstance(label, AnsweredBy):
        return None
    right = np.array([_is_of(label, chunk.document.id, chunk.section) for chunk in chunks], np.bool_)
    return Ranking(features, right) if right.any() and not right.all() else None


def _is_right(label: Label, choice: Choice) -> bool | None:
    passage = choice.best.passage
    match label:
        case AnsweredBy():
            return _is_of(label, passage.doc, passage.section)
        case Unanswerable():
            return False
        case NotHelpful():
            return False if passage.doc in label.wrong_documents else None
        case _:
            return None


def _is_of(label: AnsweredBy, document: str, section: str) -> bool:
    return document == label.document and label.section in {"", section}
