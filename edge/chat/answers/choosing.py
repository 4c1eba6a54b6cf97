"""Which sentences answer, how they are shown, and how sure that is. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.chat.answers.candidates import Candidate, Candidates
from edge.chat.answers.features import Question, question_features, sentence_features
from edge.chat.answers.model import AnswerModel
from edge.chat.answers.reading import Reading
from edge.knowledge.document import Passage

Floats = npt.NDArray[np.float32]

SENTENCES_SHOWN_MAX = 5
QUOTE_CHARS_MAX = 420
# A further sentence of the section is shown while its log-odds are not further behind the best one's than this.
BEHIND_MAX = 6.0
# … and one of another section of the same document only when the two are as good as even.
TIE_MAX = 1.0


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a quote stands."""

    doc: str
    version: int
    title: str
    section: str
    quote: str

    def body(self) -> dict[str, object]:
        """As the API gives it."""
        return {
            "doc": self.doc,
            "version": self.version,
            "title": self.title,
            "section": self.section,
            "quote": self.quote,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What is shown of one passage. `runs`: spans of its text, in order."""

    passage: Passage
    runs: tuple[tuple[int, int], ...]

    @property
    def quotes(self) -> tuple[str, ...]:
        return tuple(self.passage.text[start:end] for start, end in self.runs)


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The sentences that answer best, and the probability that they do."""

    best: Candidate
    parts: tuple[Part, ...]
    evidence: float
    candidates: Candidates
    log_odds: Floats

    @property
    def text(self) -> str:
        """The quotes, one a paragraph."""
        return "\n".join(quote for part in self.parts for quote in part.quotes)

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(cite(part.passage, quote) for part in self.parts for quote in part.quotes)


def choose(
    question: Question,
    passages: Sequence[Passage],
    readings: Mapping[int, Reading],
    model: AnswerModel,
) -> Choice | None:
    """The best answer for `question` among `passages`, or None when they hold no sentence."""
    candidates, table = sentence_features(question, passages, readings, model.tokens)
    if not len(candidates):
        return None
    log_odds = model.sentence.log_odds(table)
    row = question_features(question, candidates, table, log_odds)
    evidence = float(1 / (1 + np.exp(-model.question.log_odds(row[None])[0])))
    best = candidates[int(np.argmax(log_odds))]
    return Choice(best, shown(candidates, log_odds), evidence, candidates, log_odds)


def cite(passage: Passage, quote: str) -> Citation:
    """The citation of `quote`, which stands in `passage`."""
    return Citation(passage.doc, passage.version, passage.title, passage.section, quote)


def shown(candidates: Candidates, log_odds: Floats) -> tuple[Part, ...]:
    """What is shown: the best sentence and, best first, others while there is room.

    From its own section those that are not far behind; from other sections of its document only those that answer about
    as well, each with a citation of its own. Never from another document: that would mix two sources.
    """
    first, *others = np.argsort(-log_odds, kind="stable").tolist()
    best = candidates[first]
    behind_max = candidates.of_passages(np.array([_behind_max(best, other) for other in candidates.passages]))
    near = log_odds[first] - log_odds <= behind_max
    picked = [best]
    room = QUOTE_CHARS_MAX - (best.end - best.start)
    for row in others:
        if not near[row]:
            continue
        other = candidates[row]
        length = other.end - other.start
        if length <= room:
            picked.append(other)
            room -= length
        if len(picked) == SENTENCES_SHOWN_MAX:
            break
    return _parts(picked)


def _behind_max(best: Candidate, other: Passage) -> float:
    if other.doc != best.passage.doc:
        return -1.0
    return BEHIND_MAX if other is best.passage else TIE_MAX


def _parts(picked: Sequence[Candidate]) -> tuple[Part, ...]:
    """One part a passage, in order of its best sentence; neighbouring sentences become one span."""
    by_passage: dict[int, list[Candidate]] = {}
    for candidate in picked:
        by_passage.setdefault(candidate.passage.chunk_id, []).append(candidate)
    return tuple(
        Part(mine[0].passage, _runs(sorted(candidate.index for candidate in mine), mine[0].reading))
        for mine in by_passage.values()
    )


def _runs(indexes: Sequence[int], reading: Reading) -> tuple[tuple[int, int], ...]:
    runs: list[tuple[int, int]] = []
    for before, index in zip([None, *indexes], indexes, strict=False):
        start, end = reading.sentences.spans[index].tolist()
        if before is not None and index == before + 1:
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return tuple(runs)
