"""A few passages, read by a made-up encoder that knows words only: what the rules on top of it do can be told."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge.chat.answers.features import (
    QUESTION_FEATURES,
    SENTENCE_FEATURES,
    Question,
    TokenWeights,
    token_weights,
)
from edge.chat.answers.model import AnswerModel, Linear
from edge.chat.answers.reading import NO_STATES, STATE_DIM, Reader
from edge.knowledge.document import Passage
from edge.knowledge.signature import signature
from edge.knowledge.terms import terms
from models.encoder import Encoded

DIM = 64


def _direction(word: str) -> np.ndarray:
    vector = np.random.default_rng(zlib.crc32(word.encode())).standard_normal(DIM).astype(np.float32)
    return vector / np.linalg.norm(vector)


class WordEncoder:
    """A text's vector is the sum of its stems' random directions; so are its tokens'."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str], *, groups: Sequence[int] | None = None) -> Encoded:
        self.texts += texts
        words = [text.split() or [""] for text in texts]
        width = max((len(line) for line in words), default=0) + 2
        states = np.zeros((len(texts), width, DIM), np.float32)
        mask = np.zeros((len(texts), width), np.bool_)
        offsets = np.zeros((len(texts), width, 2), np.int32)
        embeddings = np.zeros((len(texts), DIM), np.float32)
        for row, line in enumerate(words):
            mask[row, : len(line) + 2] = True
            at = 0
            for column, word in enumerate(line, 1):
                stem = (terms(word) or [word.lower()])[0]
                states[row, column] = _direction(stem)
                at = texts[row].find(word, at)
                offsets[row, column] = (at, at + len(word))
                at += len(word)
            total = states[row].sum(axis=0)
            embeddings[row] = total / max(np.linalg.norm(total), 1e-6)
        return Encoded(embeddings, states, mask, offsets, np.zeros(len(texts), np.bool_))


def _linear(names: tuple[str, ...], weights: dict[str, float], bias: float) -> Linear:
    count = len(names)
    values = np.array([weights.get(name, 0.0) for name in names], np.float32)
    return Linear(names, np.zeros(count, np.float32), np.ones(count, np.float32), values, bias)


MODEL = AnswerModel(
    np.eye(DIM, STATE_DIM, dtype=np.float32),
    TokenWeights(np.zeros(STATE_DIM, np.float32), np.zeros(STATE_DIM, np.float32), -1.0, 0.6),
    _linear(
        SENTENCE_FEATURES,
        {"words_in_sentence": 6.0, "words_in_heading": 3.0, "kinds_held": 1.0, "same_days": 1.0},
        -4.0,
    ),
    _linear(QUESTION_FEATURES, {"words_in_passage": 8.0}, -4.0),
    "made up",
)


# The same for a site that is only skimmed.
SKIMMING = replace(
    MODEL,
    directions=np.empty((DIM, 0), np.float32),
    tokens=TokenWeights(np.empty(0, np.float32), np.empty(0, np.float32), -1.0, 0.6),
)


def passage(
    text: str, *, doc: str = "hours.md", title: str = "Opening hours", section: str = "All", key: int = 0
) -> Passage:
    return Passage(
        chunk_id=key or zlib.crc32(f"{doc}{section}{text}".encode()),
        doc=doc,
        version=3,
        title=title,
        section=section,
        text=text,
        score=0.6,
        lexical=1.0,
        cosine=0.6,
        signature=signature(title, section, text),
    )


def question(text: str, reader: Reader, encoder: WordEncoder) -> Question:
    encoded = encoder.encode([text])
    states = NO_STATES if reader.skims else reader.states(encoded)[0]
    offsets = encoded.offsets[0][encoded.mask[0]][1:-1][: len(states)]
    return Question(
        text, dict.fromkeys(terms(text), 1.0), encoded.embeddings[0], states, token_weights(text, offsets)
    )
