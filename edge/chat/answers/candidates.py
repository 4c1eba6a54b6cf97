"""The sentences of the passages that were found: which words stand where, as arrays, and each as an object when wanted.

Of some thirty sentences a turn shows one to five: the others are only compared, many at once.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import TypeVar, overload

import numpy as np
import numpy.typing as npt

from edge.chat.answers.reading import Reading
from edge.knowledge import facts
from edge.knowledge.document import Passage
from edge.knowledge.facts import Kind
from edge.knowledge.signature import Hashes, where_words_stand, word_hashes

_WITH_DIGIT = re.compile(r"\w*\d\w*")

Value = TypeVar("Value", bound=np.generic)
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A sentence that may answer: the `index`th of its passage."""

    passage: Passage
    reading: Reading
    index: int

    @property
    def start(self) -> int:
        """Where it begins in the passage's text, code points."""
        return int(self.reading.sentences.spans[self.index, 0])

    @property
    def end(self) -> int:
        """Where it ends there."""
        return int(self.reading.sentences.spans[self.index, 1])

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]

    @property
    def section(self) -> tuple[str, str]:
        """Where it stands: document and headings."""
        return self.passage.doc, self.passage.section

    @cached_property
    def words(self) -> frozenset[int]:
        """Its content words (`word_hash`)."""
        return self.reading.sentences.words_of(self.index + 1)

    @cached_property
    def plain_words(self) -> frozenset[int]:
        """Those that are no values."""
        return self.words - word_hashes(" ".join(_WITH_DIGIT.findall(self.text)))

    @cached_property
    def heading(self) -> frozenset[int]:
        """Those of its title and headings."""
        return self.reading.sentences.words_of(0)

    @property
    def days(self) -> int:
        """The days of the week that it speaks of, as bits."""
        return int(self.reading.sentences.days[self.index])

    @property
    def held(self) -> int:
        """What it holds, as bits (`facts.of`)."""
        return int(self.reading.sentences.held[self.index])

    @property
    def denies(self) -> bool:
        """Whether it says that something is not so."""
        return bool(self.held & facts.DENIES)

    def holds(self, kind: Kind) -> bool:
        """Whether it holds a fact of this kind."""
        return bool(self.held & facts.bit(kind))


class Candidates(Sequence[Candidate]):
    """Every sentence of some passages, in order."""

    def __init__(self, passages: Sequence[Passage], readings: Mapping[int, Reading]) -> None:
        """`readings` by chunk id."""
        self.passages = passages
        self.readings = [readings[passage.chunk_id] for passage in passages]
        self._counts = [len(reading) for reading in self.readings]
        self._ends = list(accumulate(self._counts))
        self._made: dict[int, Candidate] = {}

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, row: int) -> Candidate: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Candidate]: ...
    def __getitem__(self, row: int | slice) -> Candidate | Sequence[Candidate]:
        if isinstance(row, slice):
            return [self[at] for at in range(*row.indices(len(self)))]
        if not 0 <= row < len(self):
            raise IndexError(row)
        if row not in self._made:
            place = bisect_right(self._ends, row)
            index = row - (self._ends[place] - self._counts[place])
            self._made[row] = Candidate(self.passages[place], self.readings[place], index)
        return self._made[row]

    def of_passages(self, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Each passage's value, or row of values, for each of its sentences."""
        return np.repeat(values, self._counts, axis=0)

    def hold(self, words: Sequence[int]) -> tuple[Bools, Bools, Bools]:
        """Which of these words (`word_hash`) stand where.

        In each sentence: [sentences, words]. In title and headings, and anywhere in the passage: [passages, words].
        """
        found = where_words_stand(words, self._words, self._owners, self._rows).T
        anywhere = np.logical_or.reduceat(found, self._headings)
        return found[self._sentences], found[self._headings], anywhere

    def shared(self, words: frozenset[int]) -> Counts:
        """How many of these words each sentence has: [sentences]."""
        here, _, _ = self.hold(list(words))
        counts: Counts = here.sum(axis=1)
        return counts

    @cached_property
    def word_counts(self) -> Counts:
        """How many different content words each sentence has: [sentences]."""
        return np.bincount(self._owners, minlength=self._rows)[self._sentences]

    @cached_property
    def lengths(self) -> npt.NDArray[np.uint32]:
        """Of each sentence, in code points: [sentences]."""
        return np.concatenate([np.diff(reading.sentences.spans).ravel() for reading in self.readings])

    @cached_property
    def held(self) -> npt.NDArray[np.uint32]:
        """The kinds of fact that each sentence holds (`facts.of`): [sentences]."""
        return np.concatenate([reading.sentences.held for reading in self.readings])

    @cached_property
    def days(self) -> npt.NDArray[np.uint32]:
        """The days of the week that each sentence speaks of, as bits: [sentences]."""
        return np.concatenate([reading.sentences.days for reading in self.readings])

    # Words of all passages in a row, and whose each is: rows are a passage's title and headings, then its sentences.

    @property
    def _rows(self) -> int:
        return len(self) + len(self.passages)

    @cached_property
    def _headings(self) -> Counts:
        return np.array([0, *self._ends[:-1]]) + np.arange(len(self.passages))

    @cached_property
    def _sentences(self) -> Counts:
        return np.delete(np.arange(self._rows), self._headings)

    @cached_property
    def _words(self) -> Hashes:
        return np.concatenate([reading.sentences.words for reading in self.readings])

    @cached_property
    def _owners(self) -> Counts:
        firsts = zip(self.readings, self._headings.tolist(), strict=True)
        return np.concatenate([reading.sentences.owners + np.intp(first) for reading, first in firsts])
