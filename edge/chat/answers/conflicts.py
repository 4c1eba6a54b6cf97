"""Two documents that say different things about the same: found among the sentences that would answer. Pure rules.

A conflict is two sentences of two documents that answer the question about equally well, speak of the same (nearly all
their content words agree, headings included), and give other values or say yes where the other says no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from edge.chat.answers import asking
from edge.chat.answers.asking import Kind
from edge.chat.answers.choosing import Choice
from edge.chat.answers.features import Candidate, Question

# How far behind the best sentence another one may be and still claim to answer, in log-odds.
BEHIND_MAX = 3.0
# Share of the content words of the shorter sentence that the other one, headings included, has too.
SAME_WORDS_MIN = 0.6
# … where only "not" tells them apart: nearly all.
SAME_WORDS_NEGATED_MIN = 0.85
# Fewer words in common are a turn of phrase, not a subject.
WORDS_SHARED_MIN = 3
# Words of the question that one side may have and the other not: "cash limit" in one heading is "limit" in another.
ASKED_APART_MAX = 1
# Evidence from which both sides are shown. Less than an answer needs: that a second document claims to answer, too,
# lowers the evidence of the first.
EVIDENCE_MIN = 0.2
# "without interest" and "unless" narrow a sentence down; these turn it round.
_DENIES = re.compile(r"\b(?:not|no|never|cannot|can't|don't|doesn't|won't|isn't|aren't)\b", re.IGNORECASE)
_VALUED = frozenset({Kind.PRICE, Kind.TIME, Kind.DURATION, Kind.NUMBER})


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """Two sentences that cannot both hold."""

    first: Candidate
    second: Candidate


def find(question: Question, choice: Choice) -> Conflict | None:
    """The strongest sentence of another document that contradicts the chosen one, if there is one."""
    if choice.evidence < EVIDENCE_MIN:
        return None
    best = choice.best
    floor = float(choice.log_odds.max()) - BEHIND_MAX
    rivals = [
        (float(odds), candidate)
        for candidate, odds in zip(choice.candidates, choice.log_odds, strict=True)
        if odds >= floor and candidate.passage.doc != best.passage.doc
    ]
    for _, rival in sorted(rivals, key=lambda one: -one[0]):
        same_subject = not _own_subject(question, best, rival) and not _own_subject(question, rival, best)
        if same_subject and _speak_alike(question, best, rival) and _differ(question, best, rival):
            return Conflict(best, rival)
    return None


def _own_subject(question: Question, one: Candidate, other: Candidate) -> frozenset[str]:
    """What only `one` is about: words of its headings that the sentence repeats, and nobody else has.

    "A replacement of a card reader" under "card reader" is no other price for "a replacement of a card".
    """
    return (
        (one.sentence.terms & one.reading.heading)
        - other.sentence.terms
        - other.reading.heading
        - question.rarity.keys()
    )


def _speak_alike(question: Question, one: Candidate, other: Candidate) -> bool:
    """Whether both cover the same words of the question, or nearly."""
    asked = question.rarity.keys()
    mine = asked & (one.sentence.terms | one.reading.heading)
    theirs = asked & (other.sentence.terms | other.reading.heading)
    return len(mine ^ theirs) <= ASKED_APART_MAX


def _differ(question: Question, one: Candidate, other: Candidate) -> bool:
    shared = _shared(one, other)
    if shared is None:
        return False
    mine, theirs = asking.values(one.sentence.text), asking.values(other.sentence.text)
    if mine and theirs and not mine & theirs and shared >= SAME_WORDS_MIN:
        asked = asking.asks(question.text) & _VALUED or _VALUED
        if any(one.sentence.holds(kind) and other.sentence.holds(kind) for kind in asked):
            return one.sentence.days == other.sentence.days
    denies = (_DENIES.search(side.sentence.text) is not None for side in (one, other))
    return len(set(denies)) > 1 and shared >= SAME_WORDS_NEGATED_MIN


def _shared(one: Candidate, other: Candidate) -> float | None:
    """Share of the shorter sentence's words that the other has; None when too little is shared to judge."""
    mine, theirs = _words(one), _words(other)
    if len(mine) > len(theirs):
        mine, theirs, other = theirs, mine, one
    common = mine & (theirs | other.reading.heading)
    return len(common) / len(mine) if len(mine & theirs) >= WORDS_SHARED_MIN else None


def _words(candidate: Candidate) -> frozenset[str]:
    """Content words that are no values."""
    return frozenset(word for word in candidate.sentence.terms if not any(map(str.isdigit, word)))
