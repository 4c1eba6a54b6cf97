"""One question back, where passages compete and none is sure. Pure rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.chat.answers.candidates import Candidate
from edge.chat.answers.choosing import Choice
from edge.chat.answers.features import Question
from edge.knowledge.document import PATH_SEPARATOR

# How much the best sentences of sections may differ, in log-odds, and still compete.
APART_MAX = 2.0
# Below this none of them is likely to hold the answer, and a choice would only lead on. It is also what an answer
# needs once the customer has chosen: what the question is about is then known.
EVIDENCE_MIN = 0.15
# On sites that the weights had not seen, the first two sections held the answer to 76 of 100 such questions, the first
# three to 81, the first four to 84; a person reads three at a glance.
CHOICES_MAX = 3
NONE = "None of these"
_NONE_MARK = " (none of these)"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One of the things a question may mean: what the customer is shown, and what is asked when it is chosen."""

    label: str
    question: str


def meanings(question: Question, choice: Choice, evidence_min: float) -> tuple[Meaning, ...]:
    """What the question may mean, best first, and "none of these"; nothing when it is clear, or hopeless."""
    if not EVIDENCE_MIN <= choice.evidence < evidence_min:
        return ()
    labels = dict.fromkeys(_labels(_best_of_sections(choice)))
    if len(labels) < 2:
        return ()
    text = question.text.strip().rstrip("?.! ")
    offered = [Meaning(label, f"{text} ({label})?") for label in labels]
    return (*offered, Meaning(NONE, question.text.strip() + _NONE_MARK))


def is_none(text: str) -> bool:
    """Whether the customer chose that none of these was meant."""
    return text.endswith(_NONE_MARK)


def without_mark(text: str) -> str:
    """The question that was asked first, where `text` says that none of these was meant; else `text`."""
    return text.removesuffix(_NONE_MARK)


def _best_of_sections(choice: Choice) -> list[Candidate]:
    """The best sentence of each of the best sections, best first."""
    found: dict[tuple[str, str], Candidate] = {}
    floor = choice.log_odds.max() - APART_MAX
    for row in np.argsort(-choice.log_odds, kind="stable").tolist():
        if choice.log_odds[row] < floor or len(found) == CHOICES_MAX:
            break
        candidate = choice.candidates[row]
        found.setdefault(candidate.section, candidate)
    return list(found.values())


def _labels(rivals: list[Candidate]) -> list[str]:
    """What tells them apart: title and last heading, or the one of the two that differs everywhere."""
    places = [(rival.passage.title, rival.passage.section.split(PATH_SEPARATOR)[-1]) for rival in rivals]
    titles, headings = {title for title, _ in places}, {heading for _, heading in places}
    if len(headings) < len(titles) == len(places):
        return [title for title, _ in places]
    if len(titles) < len(headings) == len(places):
        return [heading or title for title, heading in places]
    return [f"{title}: {heading}" if heading else title for title, heading in places]
