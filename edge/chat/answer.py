"""Extractive answers: exact quotes, chosen sentence by sentence from the best passages. Pure: no I/O, no clock.

Every word shown stands in one of the site's documents; the citation says where. The evidence score says how much
the best passage has to do with the question; under the site's threshold the desk says that it does not know.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from edge.knowledge.search import Passage
from edge.knowledge.sentences import split
from edge.knowledge.terms import terms

# Passages whose sentences compete; further ones rarely hold the answer and each costs time.
PASSAGES_READ = 3
SENTENCES_MAX = 3
QUOTE_CHARS_MAX = 420
# A passage further down the ranking must match the question this much better to win.
RANK_DISCOUNT = 0.8
# Sentences shorter than this say little alone ("Yes.", "Note:").
SENTENCE_CHARS_MIN = 15
# How the two signs of evidence weigh: nearness in meaning, and share of the question's words found.
COSINE_WEIGHT = 0.7
COVERAGE_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands."""

    doc: str
    version: int
    title: str
    section: str
    quote: str


@dataclass(frozen=True, slots=True)
class Extract:
    """An answer of quotes, and how strong the evidence for it is (0 to 1)."""

    text: str
    citations: tuple[Citation, ...]
    evidence: float


@dataclass(frozen=True, slots=True)
class _Sentence:
    passage: Passage
    rank: int
    index: int
    start: int
    end: int
    terms: frozenset[str]


def extract(question: str, passages: Sequence[Passage]) -> Extract | None:
    """The best quote for `question`, or None when there is no passage with a sentence at all."""
    wanted = frozenset(terms(question))
    sentences = [
        s for rank, passage in enumerate(passages[:PASSAGES_READ]) for s in _sentences(rank, passage)
    ]
    if not sentences:
        return None
    weights = _weights(wanted, sentences)
    best = max(sentences, key=lambda s: (_score(s, weights), -s.index))
    span = _widen(best, [s for s in sentences if s.rank == best.rank], weights)
    quote = best.passage.text[span[0] : span[1]]
    return Extract(quote, (cite(best.passage, quote),), evidence(wanted, best.passage))


def cite(passage: Passage, quote: str) -> Citation:
    """The citation of `quote`, which stands in `passage`."""
    return Citation(passage.doc, passage.version, passage.title, passage.section, quote)


def evidence(wanted: frozenset[str], passage: Passage) -> float:
    """How strongly a passage bears on a question, 0 to 1: nearness in meaning and words in common."""
    found = frozenset(terms(f"{passage.title} {passage.section} {passage.text}"))
    coverage = len(wanted & found) / len(wanted) if wanted else 0.0
    return COSINE_WEIGHT * max(0.0, passage.cosine) + COVERAGE_WEIGHT * coverage


def _sentences(rank: int, passage: Passage) -> list[_Sentence]:
    return [
        _Sentence(passage, rank, index, start, end, frozenset(terms(passage.text[start:end])))
        for index, (start, end) in enumerate(split(passage.text))
    ]


def _weights(wanted: frozenset[str], sentences: Sequence[_Sentence]) -> dict[str, float]:
    """Words that few candidate sentences hold tell them apart (inverse document frequency)."""
    seen = Counter(term for sentence in sentences for term in sentence.terms & wanted)
    return {term: math.log1p(len(sentences) / count) for term, count in seen.items()}


def _score(sentence: _Sentence, weights: dict[str, float]) -> float:
    if sentence.end - sentence.start < SENTENCE_CHARS_MIN:
        return -1.0
    found: float = sum(weights.get(term, 0.0) for term in sentence.terms)
    return found * RANK_DISCOUNT**sentence.rank + RANK_DISCOUNT**sentence.rank


def _widen(best: _Sentence, siblings: Sequence[_Sentence], weights: dict[str, float]) -> tuple[int, int]:
    """From the best sentence onwards while what follows still speaks of the question and the quote stays short."""
    start, end = best.start, best.end
    for sentence in siblings[best.index + 1 : best.index + SENTENCES_MAX]:
        if sentence.end - start > QUOTE_CHARS_MAX or not sentence.terms & weights.keys():
            break
        end = sentence.end
    return start, end
