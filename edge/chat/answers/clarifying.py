"""One question back, where two passages compete and neither is sure. Pure rules."""

from __future__ import annotations

from dataclasses import dataclass

from edge.chat.answers.choosing import Choice
from edge.chat.answers.features import Candidate, Question
from edge.knowledge.document import PATH_SEPARATOR

# How much the best sentences of two sections may differ, in log-odds, and still compete.
APART_MAX = 2.0
# Below this neither of the two is likely to hold the answer, and a choice would only lead on. It is also what an answer
# needs once the customer has chosen: what the question is about is then known.
EVIDENCE_MIN = 0.15
CHOICES = 2
NEITHER = "Neither of these"
_NEITHER_MARK = " (neither of these)?"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One of the things a question may mean: what the customer is shown, and what is asked when it is chosen."""

    label: str
    question: str


def meanings(question: Question, choice: Choice, evidence_min: float) -> tuple[Meaning, ...]:
    """The two things that the question may mean, and "neither"; none when it is clear, or hopeless."""
    if not EVIDENCE_MIN <= choice.evidence < evidence_min:
        return ()
    labels = _labels(_best_of_sections(choice))
    if len(set(labels)) < CHOICES:
        return ()
    text = question.text.strip().rstrip("?.! ")
    offered = [Meaning(label, f"{text} ({label})?") for label in labels]
    return (*offered, Meaning(NEITHER, text + _NEITHER_MARK))


def is_neither(text: str) -> bool:
    """Whether the customer chose that it is neither."""
    return text.endswith(_NEITHER_MARK)


def without_mark(text: str) -> str:
    """The question that was asked first, where `text` says that neither was meant; else `text`."""
    return text.removesuffix(_NEITHER_MARK)


def _best_of_sections(choice: Choice) -> list[Candidate]:
    """The best sentence of each of the two best sections, best first."""
    ranked = sorted(zip(choice.log_odds.tolist(), choice.candidates, strict=True), key=lambda one: -one[0])
    found: dict[tuple[str, str], Candidate] = {}
    for odds, candidate in ranked:
        if odds < ranked[0][0] - APART_MAX or len(found) == CHOICES:
            break
        found.setdefault(candidate.section, candidate)
    return list(found.values())


def _labels(rivals: list[Candidate]) -> list[str]:
    """What tells the two apart: title and last heading, or the one of them that differs."""
    places = [(rival.passage.title, rival.passage.section.split(PATH_SEPARATOR)[-1]) for rival in rivals]
    titles, headings = {title for title, _ in places}, {heading for _, heading in places}
    if len(titles) < len(places):
        return [heading or title for title, heading in places]
    if len(headings) < len(places):
        return [title for title, _ in places]
    return [f"{title}: {heading}" if heading else title for title, heading in places]
