"""Passages read sentence by sentence: spans, words, kinds of fact, and what the encoder makes of each sentence.

A chunk is read once and remembered as long as there is room, because the same few sections answer most questions. On a
site with more chunks than can be remembered nearly every turn would meet unread ones, and the encoder's pass over their
sentences costs some ten times the question's own: there they are only skimmed, without the encoder.
Blocking and thread-safe; meant for the batcher's lane.
"""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.chat.answers import asking
from edge.chat.answers.asking import Kind
from edge.knowledge.chunking import embedding_text
from edge.knowledge.document import Passage
from edge.knowledge.sentences import split
from edge.knowledge.terms import terms
from models.encoder import Encoded

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

# Memory for what was read. A sentence takes some 10 kB, a skimmed one 2.5 kB: about 11,000 stay, or 3,300.
BYTES_MAX = 112 * 1024 * 1024
BYTES_SKIMMED_MAX = 8 * 1024 * 1024
# What a sentence takes beside its arrays: its text, and its words as a set. Measured as memory of the process.
SENTENCE_BYTES = 2_500
# Chunks of the largest site that is read rather than skimmed: so many, of 7 sentences each, fit BYTES_MAX.
CHUNKS_READ_MAX = 1_500
# Sentences of one chunk that are read; the chunker's 160 words rarely make more.
SENTENCES_MAX = 32
# Passages that go to the encoder together: their token states are held in float32 until they are made small.
PASSAGES_TOGETHER = 8
# Token states are kept by their strongest directions: 128 of 384 keep the order of nearness (docs/adr/0011).
STATE_DIM = 128
_NO_STATES: Halves = np.empty((0, 0), np.float16)


class StateEncoder(Protocol):
    """What this file asks of the encoder."""

    def encode(
        self, texts: Sequence[str], *, want_states: bool = True, groups: Sequence[int] | None = None
    ) -> Encoded: ...


@dataclass(frozen=True)
class Sentence:
    """One sentence of a passage: its span in code points, its words, what it holds.

    place  title and headings; the days that they name count where it names none itself
    """

    start: int
    end: int
    text: str
    place: str
    _held: dict[Kind, bool] = field(default_factory=dict, compare=False, repr=False)

    # Most questions ask for no kind of fact and no day, so that these are worked out when first wanted.

    @cached_property
    def terms(self) -> frozenset[str]:
        # The same few thousand words in all sentences: one string each.
        return frozenset(map(sys.intern, terms(self.text)))

    def holds(self, kind: Kind) -> bool:
        """Whether it holds a fact of this kind."""
        if kind not in self._held:
            self._held[kind] = asking.holds(self.text, kind)
        return self._held[kind]

    @cached_property
    def days(self) -> frozenset[int]:
        return asking.days(self.text) or asking.days(self.place)

    @cached_property
    def negative(self) -> bool:
        return asking.negative(self.text)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A passage that was read.

    vectors  float16 [sentences, dim], L2-normalised: each sentence with its title and headings before it
    states   float16 [tokens, STATE_DIM], L2-normalised: the token states of all sentences, one after the other
    starts   int64 [sentences + 1]: where each sentence's states begin

    A skimmed one has neither: [sentences, 0] and [0, 0].
    """

    heading: frozenset[str]
    sentences: tuple[Sentence, ...]
    vectors: Halves
    states: Halves
    starts: npt.NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        arrays = self.vectors.nbytes + self.states.nbytes + self.starts.nbytes
        return arrays + len(self.sentences) * SENTENCE_BYTES


class Reader:
    """Reads passages; remembers what it read, the least used goes first."""

    def __init__(self, encoder: StateEncoder, directions: Floats, bytes_max: int | None = None) -> None:
        """`directions` [dim, STATE_DIM]: what token states are multiplied with before they are kept.

        [dim, 0]: the model that goes with them needs no states, so that passages are skimmed.
        """
        self.skims = not directions.size
        self._encoder = encoder
        self._directions = directions
        self._bytes_max = (BYTES_SKIMMED_MAX if self.skims else BYTES_MAX) if bytes_max is None else bytes_max
        self._bytes = 0
        self._known: OrderedDict[int, Reading] = OrderedDict()
        self._lock = threading.Lock()

    def states(self, encoded: Encoded) -> list[Floats]:
        """The kept form of the token states of each text of a pass, [CLS] and [SEP] left out; none by who skims."""
        if self.skims:
            return [_NO_STATES.astype(np.float32)] * len(encoded.mask)
        small = encoded.token_states @ self._directions
        return [_unit(row[mask][1:-1]) for row, mask in zip(small, encoded.mask, strict=True)]

    def read(self, passages: Iterable[Passage]) -> dict[int, Reading]:
        """Readings by chunk id. What is not known yet goes through the encoder."""
        wanted = {passage.chunk_id: passage for passage in passages}
        with self._lock:
            found = {key: self._known[key] for key in wanted if key in self._known}
            for key in found:
                self._known.move_to_end(key)
        new = [passage for key, passage in wanted.items() if key not in found]
        for start in range(0, len(new), PASSAGES_TOGETHER):
            readings = self._read_new(new[start : start + PASSAGES_TOGETHER], self._encoder)
            found |= readings
            self._remember(readings)
        return found

    def read_ahead(self, passage: Passage, encoder: StateEncoder) -> bool:
        """Read what nobody has asked for yet; False when there is no room left, and it is not remembered."""
        readings = self._read_new([passage], encoder)
        with self._lock:
            if self._bytes + sum(reading.nbytes for reading in readings.values()) > self._bytes_max:
                return False
        self._remember(readings)
        return True

    def unread(self, chunk_ids: Iterable[int]) -> list[int]:
        """Those of the chunks that are not remembered."""
        with self._lock:
            return [key for key in chunk_ids if key not in self._known]

    def _remember(self, readings: Mapping[int, Reading]) -> None:
        with self._lock:
            for key, reading in readings.items():
                if key not in self._known:
                    self._known[key] = reading
                    self._bytes += reading.nbytes
            while self._bytes > self._bytes_max and self._known:
                self._bytes -= self._known.popitem(last=False)[1].nbytes

    def _read_new(self, passages: Sequence[Passage], encoder: StateEncoder) -> dict[int, Reading]:
        split_up = [(passage, sentences_of(passage)) for passage in passages]
        texts = [
            embedding_text(passage.title, passage.section, sentence.text)
            for passage, sentences in split_up
            for sentence in sentences
        ]
        if self.skims:
            vectors, states = np.empty((len(texts), 0), np.float16), [_NO_STATES] * len(texts)
        else:
            # A passage reads the same whatever is read with it.
            encoded = encoder.encode(texts, groups=[len(sentences) for _, sentences in split_up])
            vectors = encoded.embeddings.astype(np.float16)
            states = [state.astype(np.float16) for state in self.states(encoded)]
        readings: dict[int, Reading] = {}
        at = 0
        for passage, sentences in split_up:
            rows = slice(at, at + len(sentences))
            at += len(sentences)
            mine = states[rows]
            readings[passage.chunk_id] = Reading(
                frozenset(terms(f"{passage.title} {passage.section}")),
                sentences,
                vectors[rows],
                np.concatenate(mine) if mine else np.empty((0, self._directions.shape[1]), np.float16),
                np.cumsum([0, *(len(state) for state in mine)]),
            )
        return readings


def sentences_of(passage: Passage) -> tuple[Sentence, ...]:
    """The sentences of a passage, without the encoder."""
    place = f"{passage.title} {passage.section}"
    return tuple(
        Sentence(start, end, passage.text[start:end], place)
        for start, end in split(passage.text)[:SENTENCES_MAX]
    )


def _unit(states: Floats) -> Floats:
    norms = np.linalg.norm(states, axis=1, keepdims=True)
    unit: Floats = states / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
