"""One question back, where two passages compete and neither is sure. Pure rules."""

from __future__ import annotations

from dataclasses import dataclass

from edge.chat.answers.choosing import Choice
from edge.chat.answers.features import Candidate, Question
from edge.knowledge.document import PATH_SEPARATOR

# A longer question says what it means; asking back would not help.
QUESTION_WORDS_MAX = 4
# How much two passages may differ, in log-odds, and still compete.
APART_MAX = 1.0
# Below this neither of the two is likely to hold the answer, and a choice would only lead on.
EVIDENCE_MIN = 0.2
# Share of the question's words, by rarity, that each of the two must have.
COVERED_MIN = 0.75
CHOICES = 2


@dataclass(frozen=True, slots=True)
class Meaning:
    """One of the things a question may mean: what the customer is shown, and what is asked when it is chosen."""

    label: str
    question: str


def meanings(question: Question, choice: Choice, evidence_min: float) -> tuple[Meaning, ...]:
    """The two things that the question may mean; none when it is clear, long, or hopeless."""
    unsure = EVIDENCE_MIN <= choice.evidence < evidence_min
    if not unsure or not 0 < len(question.rarity) <= QUESTION_WORDS_MAX:
        return ()
    rivals = _best_of_sections(question, choice)
    labels = _labels(rivals)
    if len(set(labels)) < CHOICES:
        return ()
    text = question.text.strip().rstrip("?.! ")
    return tuple(Meaning(label, f"{text} ({label})?") for label in labels)


def _best_of_sections(question: Question, choice: Choice) -> list[Candidate]:
    """The best sentence of each of the two best sections that cover the question, best first."""
    ranked = sorted(zip(choice.log_odds.tolist(), choice.candidates, strict=True), key=lambda one: -one[0])
    found: dict[tuple[str, str], Candidate] = {}
    for odds, candidate in ranked:
        if odds < ranked[0][0] - APART_MAX or len(found) == CHOICES:
            break
        if _covers(question, candidate):
            found.setdefault(candidate.section, candidate)
    return list(found.values())


def _covers(question: Question, candidate: Candidate) -> bool:
    total = sum(question.rarity.values())
    words = candidate.reading.heading.union(*(sentence.terms for sentence in candidate.reading.sentences))
    return sum(weight for word, weight in question.rarity.items() if word in words) >= COVERED_MIN * total


def _labels(rivals: list[Candidate]) -> list[str]:
    """What tells the two apart: their titles, or their headings within one title."""
    titles = [rival.passage.title for rival in rivals]
    if len(set(titles)) == len(titles):
        return titles
    return [rival.passage.section.split(PATH_SEPARATOR)[-1] or rival.passage.title for rival in rivals]
