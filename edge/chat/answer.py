"""Extractive answers: exact quotes, chosen sentence by sentence from the best passages. Pure: no I/O, no clock.

Every word shown stands in one of the site's documents; the citation says where. The evidence score says how much
the best passage has to do with the question; under the site's threshold the desk says that it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge.knowledge.document import Passage
from edge.knowledge.sentences import split
from edge.knowledge.terms import terms

# Passages whose sentences compete; further ones rarely hold the answer and each costs time.
PASSAGES_READ = 3
SENTENCES_MAX = 3
QUOTE_CHARS_MAX = 420
# Sentences shorter than this say little alone ("Yes.", "Note:").
SENTENCE_CHARS_MIN = 15
# A word that stands in the heading above a sentence counts half of one that stands in it.
HEADING_WORD = 0.5
# Of two sentences with the same words the shorter is the better answer: a sentence's score is divided by
# LENGTH_FLOOR + (1 - LENGTH_FLOOR) × its words ÷ those of a sentence of the usual length (as BM25 does).
LENGTH_FLOOR = 0.7
USUAL_WORDS = 12
# What a sentence of the asked-for kind (a time, a price) gains; chosen while reading the sample clinic's answers.
KIND_BONUS = 0.15
# How the two signs of evidence weigh: nearness in meaning, and share of the question's words found, by rarity.
COSINE_WEIGHT = 0.6
COVERAGE_WEIGHT = 0.4

# (what is asked, what an answer to it holds): a time or number, a price.
_KINDS = (
    (re.compile(r"\s*(when|what time|how (late|long|far|many|soon|quickly))\b", re.I), re.compile(r"\d")),
    (re.compile(r".*\b(how much|costs?|prices?|fees?|charged?)\b", re.I | re.S), re.compile(r"[£$€]")),
)


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
    index: int
    start: int
    end: int
    terms: tuple[str, ...]

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]


def extract(question: str, passages: Sequence[Passage], rarity: Mapping[str, float]) -> Extract | None:
    """The best quote for `question`, or None when no passage has a sentence.

    `rarity` holds the question's content words, each with how much it tells (`Searcher.rarity`).
    """
    kinds = [answers for asks, answers in _KINDS if asks.match(question)]
    candidates = [
        (_score(sentence, heading, rarity, kinds), sentence)
        for passage in passages[:PASSAGES_READ]
        for heading in [frozenset(terms(f"{passage.title} {passage.section}"))]
        for sentence in _sentences(passage)
    ]
    if not candidates:
        return None
    best = max(candidates, key=lambda candidate: candidate[0])[1]
    quote = _widen(best, [s for _, s in candidates if s.passage is best.passage], rarity)
    return Extract(quote, (cite(best.passage, quote),), evidence(best.passage, rarity))


def cite(passage: Passage, quote: str) -> Citation:
    """The citation of `quote`, which stands in `passage`."""
    return Citation(passage.doc, passage.version, passage.title, passage.section, quote)


def evidence(passage: Passage, rarity: Mapping[str, float]) -> float:
    """How strongly a passage bears on a question, 0 to 1: nearness in meaning and words in common."""
    found = set(terms(f"{passage.title} {passage.section} {passage.text}"))
    return COSINE_WEIGHT * max(0.0, passage.cosine) + COVERAGE_WEIGHT * _share(found, rarity)


def _sentences(passage: Passage) -> list[_Sentence]:
    return [
        _Sentence(passage, index, start, end, tuple(terms(passage.text[start:end])))
        for index, (start, end) in enumerate(split(passage.text))
    ]


def _share(found: set[str] | frozenset[str], rarity: Mapping[str, float]) -> float:
    """Share of the question's words that are `found`, rare ones weighing more."""
    total = sum(rarity.values())
    return sum(weight for word, weight in rarity.items() if word in found) / total if total else 0.0


def _score(
    sentence: _Sentence,
    heading: frozenset[str],
    rarity: Mapping[str, float],
    kinds: Sequence[re.Pattern[str]],
) -> float:
    """How well one sentence answers: its words, its length, its kind, and how near its passage is in meaning."""
    if sentence.end - sentence.start < SENTENCE_CHARS_MIN:
        return -1.0
    own = frozenset(sentence.terms)
    words = _share(own, rarity) + HEADING_WORD * _share(heading - own, rarity)
    length = LENGTH_FLOOR + (1 - LENGTH_FLOOR) * len(sentence.terms) / USUAL_WORDS
    bonus = KIND_BONUS * sum(kind.search(sentence.text) is not None for kind in kinds)
    return words / length + bonus + sentence.passage.cosine


def _widen(best: _Sentence, siblings: Sequence[_Sentence], rarity: Mapping[str, float]) -> str:
    """From the best sentence on while what follows still speaks of the question and the quote stays short."""
    end = best.end
    for sentence in siblings[best.index + 1 : best.index + SENTENCES_MAX]:
        if sentence.end - best.start > QUOTE_CHARS_MAX or not rarity.keys() & set(sentence.terms):
            break
        end = sentence.end
    return best.passage.text[best.start : end]
