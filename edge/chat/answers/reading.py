"""Passages read sentence by sentence: spans, words, kinds of fact, and what the encoder makes of each sentence.

All of it is numbers, so that a question is compared with some thirty sentences at once.

A chunk is read once and remembered as long as there is room, because the same few sections answer most questions. On a
site with more chunks than can be remembered nearly every turn would meet unread ones, and the encoder's pass over their
sentences costs some ten times the question's own: there they are only skimmed, without the encoder.
Blocking and thread-safe; meant for a lane of the scheduler.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.knowledge.chunking import embedding_text
from edge.knowledge.document import Passage
from edge.knowledge.signature import Sentences, sentences
from models.encoder import Encoded

Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

# Memory for what was read. A sentence takes some 8 kB: about 14,000 stay.
BYTES_MAX = 112 * 1024 * 1024
# No less than a passage takes beside the contents of its arrays: counted so, memory of the process is 2 % below.
READING_BYTES = 1_400
# Chunks of the largest site that is read rather than skimmed: so many, of 7 sentences each, fit BYTES_MAX.
CHUNKS_READ_MAX = 1_500
# Passages that go to the encoder together: their token states are held in float32 until they are made small.
PASSAGES_TOGETHER = 8
# Token states are kept by their strongest directions: 128 of 384 keep the order of nearness (docs/adr/0011).
STATE_DIM = 128
# Those of a question where passages are skimmed.
NO_STATES: Floats = np.empty((0, 0), np.float32)


class StateEncoder(Protocol):
    """What this file asks of the encoder."""

    def encode(self, texts: Sequence[str], *, groups: Sequence[int] | None = None) -> Encoded: ...


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A passage that was read.

    sentences  what stands in them, told by the passage's signature
    vectors    float16 [sentences, dim], L2-normalised: each sentence with its title and headings before it
    states     float16 [tokens, STATE_DIM], L2-normalised: the token states of all sentences, one after the other
    starts     int64 [sentences + 1]: where each sentence's states begin

    A skimmed one has neither vectors nor states: [sentences, 0] and [0, 0].
    """

    sentences: Sentences
    vectors: Halves
    states: Halves
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many sentences there are."""
        return len(self.sentences.spans)

    @property
    def nbytes(self) -> int:
        """Memory that it takes beside the signature."""
        arrays = (self.sentences.owners, self.vectors, self.states, self.starts)
        return READING_BYTES + sum(array.nbytes for array in arrays)


class Reader:
    """Reads passages; remembers what it read, the least used goes first."""

    def __init__(self, encoder: StateEncoder, directions: Floats, bytes_max: int | None = None) -> None:
        """`directions` [dim, STATE_DIM]: what token states are multiplied with before they are kept.

        [dim, 0]: the model that goes with them needs no states, so that passages are skimmed.
        """
        self.skims = not directions.size
        self._encoder = encoder
        self._directions = directions
        self._bytes_max = BYTES_MAX if bytes_max is None else bytes_max
        self._bytes = 0
        self._known: OrderedDict[int, Reading] = OrderedDict()
        self._lock = threading.Lock()

    def states(self, encoded: Encoded) -> list[Floats]:
        """The kept form of the token states of each text of a pass, [CLS] and [SEP] left out."""
        small = encoded.token_states @ self._directions
        return [_unit(row[mask][1:-1]) for row, mask in zip(small, encoded.mask, strict=True)]

    def read(self, passages: Iterable[Passage]) -> dict[int, Reading]:
        """Readings by chunk id. What is not known yet goes through the encoder."""
        wanted = {passage.chunk_id: passage for passage in passages}
        if self.skims:
            return {key: _skimmed(passage) for key, passage in wanted.items()}
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
        told = [sentences(passage.signature) for passage in passages]
        counts = [len(one.spans) for one in told]
        texts = [
            embedding_text(passage.title, passage.section, passage.text[start:end])
            for passage, one in zip(passages, told, strict=True)
            for start, end in one.spans.tolist()
        ]
        # A passage reads the same whatever is read with it.
        encoded = encoder.encode(texts, groups=counts)
        vectors = encoded.embeddings.astype(np.float16)
        states = [state.astype(np.float16) for state in self.states(encoded)]
        readings: dict[int, Reading] = {}
        for passage, one, end in zip(passages, told, accumulate(counts), strict=True):
            mine = states[end - len(one.spans) : end]
            readings[passage.chunk_id] = Reading(
                one,
                vectors[end - len(one.spans) : end],
                np.concatenate(mine) if mine else np.empty((0, self._directions.shape[1]), np.float16),
                np.cumsum([0, *map(len, mine)]),
            )
        return readings


def _skimmed(passage: Passage) -> Reading:
    told = sentences(passage.signature)
    count = len(told.spans)
    nothing = np.empty((count, 0), np.float16)
    return Reading(told, nothing, nothing[:0], np.zeros(count + 1, np.int64))


def _unit(states: Floats) -> Floats:
    norms = np.linalg.norm(states, axis=1, keepdims=True)
    unit: Floats = states / np.maximum(norms, np.finfo(np.float32).tiny)
    return unit
