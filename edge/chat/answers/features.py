"""What is known of each sentence as an answer to a question, as numbers. Pure.

Two tables: one row a sentence (which one answers?), and one row a question (does anything answer it?). Their columns
are named here; the weights that go with them are trained (training.py) and kept apart (model.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from edge.chat.answers import asking
from edge.chat.answers.candidates import Candidates
from edge.chat.answers.reading import Reading
from edge.knowledge import facts
from edge.knowledge.document import Passage
from edge.knowledge.signature import word_hash
from edge.knowledge.terms import FUNCTION_WORDS

Floats = npt.NDArray[np.float32]
# One value a sentence, or one for all.
Column = npt.NDArray[np.generic] | float

SENTENCE_FEATURES = (
    "cosine",  # question and sentence (with title and headings)
    "passage_cosine",
    "passage_lexical",  # BM25 as a share of the best passage's
    "passage_behind",  # how far the passage's score is behind the best one's
    "passage_rank",
    "words_in_sentence",  # share of the question's content words, rare ones weighing more
    "words_in_heading",  # … that stand in title or headings only
    "words_in_passage",
    "rarest_missing",  # weight of the rarest word that neither sentence nor headings have, 0 to 1
    "unknown_words",  # share of the question's words that the passage does not have
    "asks",  # how many kinds of fact the question asks for
    "kinds_held",
    "kinds_missing",
    "same_days",
    "other_days",
    "same_negation",
    "words",  # length of the sentence in content words
    "stub",  # too short to say anything alone
    "question_words",
    "tokens_met",  # late interaction: how well the tokens of the question are met in the sentence, by weight …
    "tokens_missed",  # … how much of what must be met is not
    "tokens_least",  # … the content token that is met worst
    "tokens_back",  # how well each token of the sentence is met in the question
)
INTERACTION_FEATURES = ("tokens_met", "tokens_missed", "tokens_least", "tokens_back")
QUESTION_FEATURES = (
    "best",  # log-odds of the best sentence
    "passage",  # … of the best passage as a whole
    "ahead",  # … less that of the best sentence of another section
    "cosine",
    "passage_cosine",
    "stands_out",  # cosine of the best passage less that of the last one read
    "words_in_passage",
    "rarest_missing",
    "tokens_met",
    "tokens_missed",
    "tokens_least",
    "kinds_missing",
    "question_words",
    "leans",  # the question leans on the one before
)

# Which way a feature may speak for an answer: 1 the more the better, -1 the less the better, 0 either.
SENTENCE_SENSE = {
    "cosine": 1,
    "passage_cosine": 1,
    "passage_lexical": 1,
    "passage_behind": -1,
    "passage_rank": 1,
    "words_in_sentence": 1,
    "words_in_heading": 1,
    "words_in_passage": 1,
    "rarest_missing": -1,
    "unknown_words": -1,
    "asks": 0,
    "kinds_held": 1,
    "kinds_missing": -1,
    "same_days": 1,
    "other_days": -1,
    "same_negation": 0,
    "words": -1,
    "stub": -1,
    "question_words": 0,
    "tokens_met": 1,
    "tokens_missed": -1,
    "tokens_least": 1,
    "tokens_back": 1,
}
QUESTION_SENSE = {
    "best": 1,
    "passage": 1,
    "ahead": 1,
    "cosine": 1,
    "passage_cosine": 1,
    "stands_out": 1,
    "words_in_passage": 1,
    "rarest_missing": -1,
    "tokens_met": 1,
    "tokens_missed": -1,
    "tokens_least": 1,
    "kinds_missing": -1,
    "question_words": 0,
    "leans": 0,
}

STUB_CHARS = 15
WORDS_UNIT = 20.0
WORDS_MAX = 40
QUESTION_WORDS_UNIT = 8.0
# What a function word weighs in late interaction, a content word being 1; and a word of the question before.
FUNCTION_WEIGHT = 0.15
BEFORE_WEIGHT = 0.5
CONTENT_WEIGHT_MIN = 0.5
_FUNCTION_WORDS = frozenset(FUNCTION_WORDS)


# Learned from the token's own state, so large steps are needed before a unit vector tells.
STATE_GAIN = 8.0
# What the plain weight of a token (FUNCTION_WEIGHT to 1) adds to its learned one.
PLAIN_GAIN = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class TokenWeights:
    """Which tokens of a question matter, told from their states ("mum" hardly, "guide dog" much).

    share      float32 [STATE_DIM]: direction of those that count in `tokens_met`
    need       float32 [STATE_DIM]: direction of those that cost in `tokens_missed` when nothing meets them
    need_bias  the cost of a token of no direction
    met_from   how near a token of the sentence must be, cosine, to meet one of the question
    """

    share: Floats
    need: Floats
    need_bias: float
    met_from: float

    def shares(self, states: Floats, plain: Floats) -> Floats:
        """float32 [tokens], adding up to 1."""
        raised = np.exp(STATE_GAIN * (states @ self.share) + PLAIN_GAIN * plain)
        total = max(float(raised.sum()), float(np.finfo(np.float32).tiny))
        return (raised / total).astype(np.float32)

    def needs(self, states: Floats, plain: Floats) -> Floats:
        """float32 [tokens], each above 0."""
        raised = STATE_GAIN * (states @ self.need) + PLAIN_GAIN * (plain - 0.5) + self.need_bias
        return np.logaddexp(0.0, raised).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question as the encoder and the indexes see it.

    rarity     its content words, each with how much it tells
    embedding  float32 [dim]
    states     float32 [tokens, STATE_DIM] (`Reader.states`); no tokens where passages are skimmed
    weights    float32 [tokens], 0 to 1: how much each token counts
    leans      whether it leans on the question before, whose words are in all of these too
    """

    text: str
    rarity: Mapping[str, float]
    embedding: Floats
    states: Floats
    weights: Floats
    leans: bool = False


def token_weights(text: str, offsets: npt.NDArray[np.int32], before: int = 0) -> Floats:
    """How much each token counts; tokens that begin before code point `before` are of the question before."""
    words = [_word_at(text, int(start)) for start, _ in offsets]
    weights = np.array([FUNCTION_WEIGHT if word in _FUNCTION_WORDS else 1.0 for word in words], np.float32)
    weights[offsets[:, 0] < before] *= BEFORE_WEIGHT
    return weights


def sentence_features(
    question: Question,
    passages: Sequence[Passage],
    readings: Mapping[int, Reading],
    tokens: TokenWeights,
) -> tuple[Candidates, Floats]:
    """Every sentence of the passages, and its row of SENTENCE_FEATURES: float32 [sentences, features]."""
    candidates = Candidates(passages, readings)
    if not len(candidates):
        return candidates, np.empty((0, len(SENTENCE_FEATURES)), np.float32)
    read = candidates.readings
    columns = {
        # Nothing of it for skimmed passages, whose sentences have no vectors.
        "cosine": np.concatenate(
            [r.vectors.astype(np.float32) @ question.embedding[: r.vectors.shape[1]] for r in read]
        ),
        **_passage_columns(candidates),
        **_word_columns(question.rarity, candidates),
        **_fact_columns(question, candidates),
    }
    if question.states.size:
        weighed = _Weighed.of(question, tokens)
        met = np.concatenate([_interaction(weighed, reading) for reading in read])
        columns |= zip(INTERACTION_FEATURES, met.T, strict=True)
    else:
        columns |= dict.fromkeys(INTERACTION_FEATURES, 0.0)
    table = np.empty((len(candidates), len(SENTENCE_FEATURES)), np.float32)
    for place, name in enumerate(SENTENCE_FEATURES):
        table[:, place] = columns[name]
    return candidates, table


def question_features(question: Question, candidates: Candidates, table: Floats, log_odds: Floats) -> Floats:
    """The row of QUESTION_FEATURES for the best sentence: float32 [features]. At least one candidate."""
    best = int(np.argmax(log_odds))
    of = {name: float(table[best, column]) for column, name in enumerate(SENTENCE_FEATURES)}
    section = candidates[best].section
    here = candidates.of_passages(
        np.array([(one.doc, one.section) == section for one in candidates.passages])
    )
    others = log_odds[~here]
    cosines = table[:, SENTENCE_FEATURES.index("passage_cosine")]
    values = {
        **of,
        "best": float(log_odds[best]),
        "passage": float(np.log(np.exp(log_odds[here]).sum())),
        "ahead": float(log_odds[best] - (others.max() if len(others) else log_odds.min())),
        "stands_out": of["passage_cosine"] - float(cosines.min()),
        "leans": float(question.leans),
    }
    return np.array([values[name] for name in QUESTION_FEATURES], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Weighed:
    """A question with the weights of its tokens, worked out once for all passages."""

    question: Question
    shares: Floats
    needs: Floats
    content: npt.NDArray[np.bool_]
    met_from: float

    @classmethod
    def of(cls, question: Question, tokens: TokenWeights) -> Self:
        content = question.weights >= CONTENT_WEIGHT_MIN
        return cls(
            question,
            tokens.shares(question.states, question.weights),
            tokens.needs(question.states, question.weights),
            content if content.any() else np.ones_like(content),
            tokens.met_from,
        )


def _passage_columns(candidates: Candidates) -> dict[str, Column]:
    """What is the same for all sentences of a passage."""
    passages = candidates.passages
    best = passages[0].score
    lexical = max(passage.lexical for passage in passages) or 1.0
    rows = [
        (passage.cosine, passage.lexical / lexical, best - passage.score, 1.0 / (1 + rank))
        for rank, passage in enumerate(passages)
    ]
    names = ("passage_cosine", "passage_lexical", "passage_behind", "passage_rank")
    return dict(zip(names, candidates.of_passages(np.array(rows, np.float32)).T, strict=True))


def _word_columns(rarity: Mapping[str, float], candidates: Candidates) -> dict[str, Column]:
    """Which of the question's content words stand where, rare ones weighing more."""
    names = ("words_in_sentence", "words_in_heading", "words_in_passage", "rarest_missing", "unknown_words")
    weights = np.array(list(rarity.values()), np.float32)
    total, rarest = float(weights.sum()), float(weights.max(initial=0.0))
    if not total:
        return {**dict.fromkeys(names, 0.0), "unknown_words": 1.0, "question_words": 0.0}
    here, heading, anywhere = candidates.hold(list(map(word_hash, rarity)))
    with_heading = here | candidates.of_passages(heading)
    in_passage = candidates.of_passages(anywhere @ weights) / total
    in_sentence = here @ weights / total
    return {
        "words_in_sentence": in_sentence,
        "words_in_heading": with_heading @ weights / total - in_sentence,
        "words_in_passage": in_passage,
        "rarest_missing": (~with_heading * weights).max(axis=1) / rarest,
        "unknown_words": 1.0 - in_passage,
        "question_words": len(rarity) / QUESTION_WORDS_UNIT,
    }


def _fact_columns(question: Question, candidates: Candidates) -> dict[str, Column]:
    asked, theirs = asking.asks(question.text), candidates.held
    held, days = facts.of(question.text)
    columns: dict[str, Column] = {
        "asks": len(asked),
        "kinds_held": 0.0,
        "kinds_missing": 0.0,
        "same_days": 0.0,
        "other_days": 0.0,
        "same_negation": ((theirs ^ held) & facts.NEGATIVE) == 0,
        "words": np.minimum(candidates.word_counts, WORDS_MAX) / WORDS_UNIT,
        "stub": candidates.lengths < STUB_CHARS,
    }
    if asked:
        share = np.sum([(theirs & facts.bit(kind)) != 0 for kind in asked], axis=0) / len(asked)
        columns |= {"kinds_held": share, "kinds_missing": 1.0 - share}
    if days:
        same, some = (candidates.days & days) != 0, candidates.days != 0
        columns |= {"same_days": same, "other_days": some & ~same}
    return columns


def nearness(question: Question, reading: Reading) -> list[Floats]:
    """For each sentence how near its nearest token is to each token of the question: float32 [tokens]."""
    near = question.states @ reading.states.astype(np.float32).T
    spans = zip(reading.starts[:-1], reading.starts[1:], strict=True)
    none = np.zeros(len(question.states), np.float32)
    return [near[:, first:last].max(axis=1) if last > first else none for first, last in spans]


def _interaction(weighed: _Weighed, reading: Reading) -> Floats:
    """Late interaction of a question with each sentence: for each token of one the nearest of the other.

    Rows of INTERACTION_FEATURES: float32 [sentences, 4]. After ColBERT (Khattab and Zaharia, SIGIR 2020), with the
    encoder's own token states and learned weights of tokens.
    """
    found = np.zeros((len(reading), len(INTERACTION_FEATURES)), np.float32)
    near = weighed.question.states @ reading.states.astype(np.float32).T
    if near.size:
        lengths = np.diff(reading.starts)
        some = lengths > 0
        starts = reading.starts[:-1][some]
        met = np.maximum.reduceat(near, starts, axis=1)
        found[some, 0] = weighed.shares @ met
        found[some, 1] = weighed.needs @ np.maximum(weighed.met_from - met, 0.0)
        found[some, 2] = met[weighed.content].min(axis=0)
        found[some, 3] = np.add.reduceat(near.max(axis=0), starts) / lengths[some]
    return found


def _word_at(text: str, start: int) -> str:
    """The word that the token at `start` is part of, in lower case."""
    end = start
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[start:end].lower() or text[start : start + 1]
