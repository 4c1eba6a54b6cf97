"""Learning in a process of its own (`edge.chat.apart`): examples and golden questions in, refitted weights out.

The child reads the site's approved documents from the store, which it cannot change, and answers the questions as the
node would. First the ranking is refitted and judged; then the evidence, on what the ranking that is to serve finds.
Golden questions also say where the threshold lies; each is judged by a model whose threshold the others have set.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sqlite_utils import Database

from edge.chat import heads
from edge.chat.answers.model import AnswerModel
from edge.chat.answers.reading import Reader
from edge.chat.answers.spelling import Speller
from edge.chat.apart import Done, TrainingFailed, TrainingSettings, open_processor, serve, work_apart
from edge.chat.learning import evidence, judge, lessons
from edge.chat.learning.fitting import Ranking, refit_evidence, refit_ranking
from edge.chat.learning.golden import GoldenQuestion
from edge.chat.learning.judge import Answered, GoldenFigures, figures_of
from edge.chat.learning.labels import Label, LabelledQuestion, from_json, to_json
from edge.chat.understanding import Query, Understood, understanding
from edge.config import SitePaths, load_config
from edge.knowledge import rows
from edge.knowledge.document import Audience, State
from edge.knowledge.ingest import LOAD_ROWS, now_ms
from edge.knowledge.ranking import RankingModel
from edge.knowledge.search import Searcher
from edge.store.connection import connect_to_read
from models.encoder import Encoder
from models.progress import Report

T = TypeVar("T")

# Parts of the golden questions: each is judged by a model whose threshold the other parts have set.
FOLDS = 5
# Questions that go through the encoder together: progress moves, and memory stays small.
ASKED_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Serving:
    """What the site has of its own; None: what Postern ships. `skims`: whether passages are only skimmed."""

    skims: bool
    ranking: bytes | None
    evidence: bytes | None


@dataclass(frozen=True, slots=True)
class Lesson:
    """One kind's end: figures on the golden questions, and weights where any were fitted.

    examples  how many taught it
    reasons   why it should not serve; none: it may
    """

    examples: int
    before: GoldenFigures
    after: GoldenFigures
    reasons: tuple[str, ...]
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Learnt:
    """Both kinds."""

    ranking: Lesson
    evidence: Lesson


async def learn_apart(
    settings: TrainingSettings,
    paths: SitePaths,
    store_key: bytes,
    evidence_min: float,
    golden: Sequence[GoldenQuestion],
    examples: Sequence[LabelledQuestion],
    serving: Serving,
    report: Report,
) -> Learnt:
    """Learn in a child process, which gets the store's key on standard input. Raises TrainingFailed."""
    task = {
        "settings": asdict(settings),
        "site": str(paths.root),
        "store_key": store_key.hex(),
        "evidence_min": evidence_min,
        "golden": [[one.question, one.document] for one in golden],
        "examples": [[one.text, to_json(one.label)] for one in examples],
        "skims": serving.skims,
        "ranking": serving.ranking and serving.ranking.decode(),
        "evidence": serving.evidence and serving.evidence.decode(),
    }
    found = (await work_apart("edge.chat.learning.learner", task, report)).result
    return Learnt(_lesson(found["ranking"]), _lesson(found["evidence"]))


def _lesson(found: dict[str, Any]) -> Lesson:
    before, after = GoldenFigures(**found["before"]), GoldenFigures(**found["after"])
    content = found["content"]
    return Lesson(
        found["examples"], before, after, tuple(found["reasons"]), content.encode() if content else None
    )


def _learn(task: dict[str, Any], report: Report) -> Done:
    """The child's work."""
    settings = TrainingSettings(**task["settings"])
    with ExitStack() as stack:
        encoder = open_processor(settings)
        stack.callback(encoder.close)
        usual = heads.heads_for(encoder.info, skims=task["skims"])
        shipped = usual.answers
        own = task["evidence"]
        model = shipped if own is None else _with_evidence(shipped, own.encode())
        served = RankingModel.from_json(task["ranking"].encode()) if task["ranking"] else usual.ranking
        paths, store_key = SitePaths(Path(task["site"])), bytes.fromhex(task["store_key"])
        pupil = _Pupil.of(paths, store_key, encoder, model, served, task["evidence_min"])
        lesson = _Questions(
            [GoldenQuestion(question, document) for question, document in task["golden"]],
            [(text, from_json(label)) for text, label in task["examples"]],
        )
        result = {
            "ranking": _as_json(_learn_ranking(pupil, lesson, served, report)),
            "evidence": _as_json(_learn_evidence(pupil, lesson, report)),
        }
    return Done(result)


@dataclass(frozen=True)
class _Questions:
    """What is asked: golden questions, and examples with what is said of them."""

    golden: Sequence[GoldenQuestion]
    examples: Sequence[tuple[str, Label]]

    @property
    def golden_texts(self) -> list[str]:
        return [one.question for one in self.golden]


@dataclass(frozen=True)
class _Pupil:
    """What answers questions as the node would."""

    encoder: Encoder
    searcher: Searcher
    understand: Callable[[Sequence[Query]], list[Understood]]
    model: AnswerModel
    evidence_min: float

    @classmethod
    def of(
        cls,
        paths: SitePaths,
        store_key: bytes,
        encoder: Encoder,
        model: AnswerModel,
        served: RankingModel,
        evidence_min: float,
    ) -> _Pupil:
        """With the site's approved documents."""
        searcher = Searcher(encoder.dim, served)
        _load(connect_to_read(paths.store, store_key), searcher, encoder.info.space)
        reader, speller = Reader(encoder, model.directions), Speller(encoder.words(), searcher)
        speller.refresh()
        you = load_config(paths).site.you
        understand = understanding(encoder, searcher, reader, speller, you=you)
        return cls(encoder, searcher, understand, model, evidence_min)

    def ask(self, texts: Sequence[str], what: str, report: Report) -> list[Understood]:
        """Every text as a customer's question."""
        found: list[Understood] = []
        for start in range(0, len(texts), ASKED_TOGETHER):
            some = texts[start : start + ASKED_TOGETHER]
            found += self.understand([Query(text, Audience.PUBLIC) for text in some])
            report(what, len(found), len(texts))
        return found

    def answers(
        self, golden: Sequence[GoldenQuestion], seen: Sequence[Understood], model: AnswerModel
    ) -> list[Answered]:
        """What `model` would do with golden questions."""
        decide = partial(lessons.answered, model=model, evidence_min=self.evidence_min)
        return [decide(one, asked.document) for asked, one in zip(golden, seen, strict=True)]

    def figures(
        self, golden: Sequence[GoldenQuestion], seen: Sequence[Understood], model: AnswerModel
    ) -> GoldenFigures:
        """… and the counts of it."""
        return figures_of(self.answers(golden, seen, model))

    def ranking_of(self, label: Label, seen: Understood) -> Ranking | None:
        """What a label says of the question's candidates."""
        asked = seen.question
        ids, table = self.searcher.features(asked.text, asked.embedding, Audience.PUBLIC, at_ms=now_ms())
        return lessons.for_ranking(label, self.searcher.chunks(ids), table)


def _load(db: Database, searcher: Searcher, encoder: str) -> None:
    """The approved documents as they are now; closes `db`. Raises TrainingFailed: their vectors are not its yet."""
    try:
        if rows.encoder_of(db) not in {"", encoder}:
            raise TrainingFailed(
                "The documents are still being embedded.", remedy="Learn when that has ended."
            )
        groups = list(rows.all_chunks(db, LOAD_ROWS, State.APPROVED))
    finally:
        db.conn.close()
    if groups:
        chunks = [chunk for group, _ in groups for chunk in group]
        searcher.change((), chunks, np.concatenate([vectors for _, vectors in groups]))


def _with_evidence(shipped: AnswerModel, content: bytes) -> AnswerModel:
    return replace(shipped, question=evidence.from_bytes(content, shipped))


def _learn_ranking(pupil: _Pupil, lesson: _Questions, served: RankingModel, report: Report) -> Lesson:
    """Leaves the ranking that is to serve in the searcher."""
    golden = pupil.ask(lesson.golden_texts, "Asking golden questions", report)
    before = pupil.figures(lesson.golden, golden, pupil.model)
    seen = pupil.ask([text for text, _ in lesson.examples], "Reading examples", report)
    said = [pupil.ranking_of(label, one) for (_, label), one in zip(lesson.examples, seen, strict=True)]
    taught = [one for one in said if one is not None]
    if len(taught) < lessons.EXAMPLES_MIN:
        return _too_few(len(taught), before)
    fitted = replace(refit_ranking(served, taught), encoder=heads.mark(pupil.encoder.info))
    pupil.searcher.rank_with(fitted)
    again = pupil.ask(lesson.golden_texts, "Judging the ranking", report)
    after = pupil.figures(lesson.golden, again, pupil.model)
    reasons = judge.against_ranking(before, after)
    if reasons:
        pupil.searcher.rank_with(served)
    return Lesson(len(taught), before, after, tuple(reasons), fitted.to_json())


def _learn_evidence(pupil: _Pupil, lesson: _Questions, report: Report) -> Lesson:
    golden = pupil.ask(lesson.golden_texts, "Judging the evidence", report)
    before = pupil.figures(lesson.golden, golden, pupil.model)
    seen = pupil.ask([text for text, _ in lesson.examples], "Learning", report)
    said = [
        lessons.for_evidence(label, one, pupil.model)
        for (_, label), one in zip(lesson.examples, seen, strict=True)
    ]
    taught = [one for one in said if one is not None]
    if len(taught) < lessons.EXAMPLES_MIN:
        return _too_few(len(taught), before)
    known = [
        lessons.for_evidence(lessons.label_of(one.document), asked, pupil.model)
        for one, asked in zip(lesson.golden, golden, strict=True)
    ]

    def fitted(rest: Iterable[int]) -> AnswerModel:
        question = refit_evidence(pupil.model.question, taught, _present(known, rest), pupil.evidence_min)
        return replace(pupil.model, question=question)

    answers: list[Answered] = []
    for judged, rest in _folds(len(known)):
        asked = [lesson.golden[row] for row in judged]
        answers += pupil.answers(asked, [golden[row] for row in judged], fitted(rest))
    after = figures_of(answers)
    reasons = tuple(judge.against_evidence(before, after))
    content = evidence.to_bytes(pupil.model, fitted(range(len(known))).question)
    return Lesson(len(taught), before, after, reasons, content)


def _folds(count: int) -> Iterator[tuple[list[int], list[int]]]:
    """Rows to judge, and the others: each row is judged once."""
    for fold in range(FOLDS):
        judged = list(range(fold, count, FOLDS))
        yield judged, [row for row in range(count) if row % FOLDS != fold]


def _present(known: Sequence[T | None], wanted: Iterable[int]) -> list[T]:
    return [one for row in wanted if (one := known[row]) is not None]


def _too_few(count: int, before: GoldenFigures) -> Lesson:
    return Lesson(count, before, before, (lessons.too_few(count),), None)


def _as_json(lesson: Lesson) -> dict[str, Any]:
    return {
        "examples": lesson.examples,
        "before": asdict(lesson.before),
        "after": asdict(lesson.after),
        "reasons": lesson.reasons,
        "content": lesson.content and lesson.content.decode(),
    }


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer, _learn)
