"""Two documents that say different things about the same: found among the sentences that would answer. Pure rules.

A conflict is two sentences of two documents that answer the question about equally well, speak of the same (nearly all
their content words agree, headings included), and give other values or say yes where the other says no.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.chat.answers import asking
from edge.chat.answers.candidates import Candidate
from edge.chat.answers.choosing import Choice
from edge.chat.answers.features import Question
from edge.knowledge import facts
from edge.knowledge.facts import Kind
from edge.knowledge.signature import word_hash

# Hashes of content words (`word_hash`).
Words = frozenset[int]

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
_VALUED = frozenset({Kind.PRICE, Kind.TIME, Kind.DURATION, Kind.NUMBER})
_VALUED_BITS = sum(map(facts.bit, _VALUED))


@dataclass(frozen=True, slots=True, eq=False)
class Conflict:
    """Two sentences that cannot both hold."""

    first: Candidate
    second: Candidate


def find(question: Question, choice: Choice) -> Conflict | None:
    """The strongest sentence of another document that contradicts the chosen one, if there is one."""
    if choice.evidence < EVIDENCE_MIN:
        return None
    best, candidates = choice.best, choice.candidates
    others = candidates.of_passages(np.array([one.doc != best.passage.doc for one in candidates.passages]))
    near = choice.log_odds >= choice.log_odds.max() - BEHIND_MAX
    # Most hold nothing that could differ, or speak of something else.
    rivals = others & near & _may_differ(best.held, candidates.held)
    if rivals.any():
        rivals &= candidates.shared(best.words) >= WORDS_SHARED_MIN
    rows = np.flatnonzero(rivals)
    asked = frozenset(map(word_hash, question.rarity))
    for row in rows[np.argsort(-choice.log_odds[rows], kind="stable")].tolist():
        rival = candidates[row]
        same_subject = not _own_subject(asked, best, rival) and not _own_subject(asked, rival, best)
        if same_subject and _speak_alike(asked, best, rival) and _differ(question, best, rival):
            return Conflict(best, rival)
    return None


def _may_differ(one: int, others: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Whether what sentences hold (`facts.of`) leaves room for a conflict with the one: values, or a "not"."""
    differ: npt.NDArray[np.bool_] = ((others & (one & _VALUED_BITS)) != 0) | (
        ((others ^ one) & facts.DENIES) != 0
    )
    return differ


def _own_subject(asked: Words, one: Candidate, other: Candidate) -> Words:
    """What only `one` is about: words of its headings that the sentence repeats, and nobody else has.

    "A replacement of a card reader" under "card reader" is no other price for "a replacement of a card".
    """
    return (one.words & one.heading) - other.words - other.heading - asked


def _speak_alike(asked: Words, one: Candidate, other: Candidate) -> bool:
    """Whether both cover the same of the words that are asked for, or nearly."""
    mine = asked & (one.words | one.heading)
    theirs = asked & (other.words | other.heading)
    return len(mine ^ theirs) <= ASKED_APART_MAX


def _differ(question: Question, one: Candidate, other: Candidate) -> bool:
    shared = _shared(one, other)
    if shared is None:
        return False
    mine, theirs = asking.values(one.text), asking.values(other.text)
    if mine and theirs and not mine & theirs and shared >= SAME_WORDS_MIN:
        asked = asking.asks(question.text) & _VALUED or _VALUED
        if any(one.holds(kind) and other.holds(kind) for kind in asked):
            return one.days == other.days
    return one.denies != other.denies and shared >= SAME_WORDS_NEGATED_MIN


def _shared(one: Candidate, other: Candidate) -> float | None:
    """Share of the shorter sentence's words that the other has; None when too little is shared to judge."""
    mine, theirs = one.plain_words, other.plain_words
    if len(mine) > len(theirs):
        mine, theirs, other = theirs, mine, one
    common = mine & (theirs | other.heading)
    return len(common) / len(mine) if len(mine & theirs) >= WORDS_SHARED_MIN else None
