"""What was learnt, in a real store: it serves at once, goes back bit by bit, damage is said. The child is a double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edge import metrics
from edge.chat.answers import model as answer_model
from edge.chat.answers.model import AnswerModel
from edge.chat.apart import TrainingFailed, TrainingSettings
from edge.chat.learning import evidence, service
from edge.chat.learning.examples import Examples
from edge.chat.learning.golden import NothingToJudgeBy
from edge.chat.learning.judge import GoldenFigures
from edge.chat.learning.learner import Learnt, Lesson
from edge.chat.learning.service import Learning, LearningBusy, Parts
from edge.config import site_paths
from edge.knowledge import ranking
from edge.knowledge.ranking import RankingModel
from edge.knowledge.search import Searcher
from edge.store.site_models import ModelKind, NoSuchModel
from edge.store.store import Store
from models.catalog import DEFAULT_ENCODER
from models.encoder import ModelInfo
from models.progress import silent
from tests.integration import mill
from tests.unit.edge.chat.desk_rig import scan_forms

FIGURES = GoldenFigures(questions=24, right=7, wrong_shown=0, refused=8, not_found=9, hit1=14, hit5=16)
BETTER = replace(FIGURES, right=9, not_found=7)
SETTINGS = TrainingSettings("all-minilm-l6-v2", "auto", 0)


def ranking_of(weight: float) -> bytes:
    weights = ranking.shipped().weights.copy()
    weights[0] = weight
    return RankingModel(weights, 1.0).to_json()


def evidence_of(bias: float) -> bytes:
    shipped = answer_model.shipped()
    return evidence.to_bytes(shipped, replace(shipped.question, bias=bias))


def lesson(content: bytes | None, *reasons: str) -> Lesson:
    return Lesson(10, FIGURES, BETTER, reasons, content)


class Child:
    """Says what the child would."""

    def __init__(self) -> None:
        self.says: Learnt | Exception = Learnt(lesson(None, "too few"), lesson(None, "too few"))
        self.asked: list[tuple[Any, ...]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, *asked: Any) -> Learnt:
        self.asked.append(asked)
        await self.go.wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


@dataclass
class Desk:
    model: AnswerModel


@dataclass
class Rig:
    child: Child
    desk: Desk
    searcher: Searcher
    learning: Learning
    store: Store

    @property
    def bias(self) -> float:
        return self.desk.model.question.bias

    @property
    def cosine(self) -> float:
        return float(self.searcher._ranking.weights[0])

    async def learn(self, ranked: Lesson, sure: Lesson) -> dict[str, Any]:
        self.child.says = Learnt(ranked, sure)
        return await self.learning.run(silent)


DEFAULT = ModelInfo(DEFAULT_ENCODER, "1", "onnxruntime", "CPU", "00", space="11")
OTHER = ModelInfo("our-encoder", "1", "onnxruntime", "CPU", "22", space="33")


def opened(store: Store, tmp_path: Path, child: Child, encoder: ModelInfo = DEFAULT) -> Rig:
    """As after a start, before anything is loaded."""
    examples = Examples(store, cast(Any, None), tuple, tmp_path / "questions.jsonl", scan_forms)
    desk, searcher = Desk(answer_model.shipped()), Searcher(4)
    intents = SimpleNamespace(model=None, names=())
    nobody: Any = None
    parts = Parts(store, site_paths(tmp_path), examples, cast(Any, intents), searcher, desk, nobody, encoder)
    return Rig(child, desk, searcher, Learning(parts, SETTINGS, 0.25), store)


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    child = Child()
    monkeypatch.setattr(service, "learn_apart", child)
    (tmp_path / "questions.jsonl").write_text(mill.lines(mill.GOLDEN))
    store = Store.open(site_paths(tmp_path))
    yield opened(store, tmp_path, child)
    await store.close()
    for kind in service.OWN_KINDS:
        metrics.recover(kind)


async def test_what_is_better_serves_at_once_and_after_a_start(rig: Rig, tmp_path: Path) -> None:
    told = await rig.learn(lesson(ranking_of(7.0)), lesson(evidence_of(-1.5)))
    assert [(one["kind"], one["version"], one["active"]) for one in told["kinds"]] == [
        ("ranking", 1, True),
        ("evidence", 1, True),
        ("intents", None, False),
    ]
    assert (rig.cosine, rig.bias) == (7.0, -1.5)
    again = opened(rig.store, tmp_path, rig.child)
    await again.learning.load()
    assert (again.cosine, again.bias) == (7.0, -1.5)


async def test_what_is_refused_is_kept_and_told_but_does_not_serve(rig: Rig) -> None:
    before = rig.cosine, rig.bias
    told = await rig.learn(lesson(ranking_of(7.0), "It is worse."), lesson(None, "3 examples teach this."))
    assert (rig.cosine, rig.bias) == before
    assert [one["reasons"] for one in told["kinds"][:2]] == [["It is worse."], ["3 examples teach this."]]
    (kept,) = await rig.learning.history()
    assert (kept["kind"], kept["state"], kept["reasons"]) == ("ranking", "refused", ["It is worse."])
    assert (kept["before"]["right"], kept["after"]["right"]) == (7, 9)
    with pytest.raises(NoSuchModel):
        await rig.learning.roll_back(None)


async def test_one_word_goes_back_to_what_served_bit_by_bit(rig: Rig) -> None:
    shipped = rig.cosine, rig.desk.model.question
    await rig.learn(lesson(ranking_of(7.0)), lesson(evidence_of(-1.5)))
    first = rig.cosine, rig.desk.model.question
    await rig.learn(lesson(ranking_of(8.0), "worse"), lesson(evidence_of(-1.0)))
    assert (await rig.learning.roll_back(None))["serving"] == {"evidence": 1}
    assert rig.cosine == first[0]
    assert np.array_equal(rig.desk.model.question.weights, first[1].weights)
    assert rig.bias == first[1].bias
    assert (await rig.learning.roll_back(None))["serving"] == {"ranking": None, "evidence": None}
    assert rig.cosine == shipped[0]
    assert rig.desk.model.question is shipped[1]
    with pytest.raises(NoSuchModel):
        await rig.learning.roll_back(None)


async def test_one_kind_goes_back_alone(rig: Rig) -> None:
    await rig.learn(lesson(ranking_of(7.0)), lesson(evidence_of(-1.5)))
    assert (await rig.learning.roll_back(ModelKind.RANKING))["serving"] == {"ranking": None}
    assert rig.cosine == ranking.shipped().weights[0]
    assert rig.bias == -1.5


async def test_the_next_learning_begins_with_what_serves(rig: Rig) -> None:
    await rig.learn(lesson(ranking_of(7.0)), lesson(evidence_of(-1.5)))
    await rig.learn(lesson(None, "x"), lesson(None, "x"))
    serving = rig.child.asked[-1][6]
    assert (serving.ranking, serving.evidence) == (ranking_of(7.0), evidence_of(-1.5))


@pytest.mark.parametrize("damage", ["content = x'00'", "content = x'7b7d', sha256 = x'00'"])
async def test_a_damaged_model_is_said_and_the_shipped_one_serves(
    rig: Rig, tmp_path: Path, damage: str
) -> None:
    await rig.learn(lesson(ranking_of(7.0)), lesson(evidence_of(-1.5)))
    await rig.store.write(lambda db: db.execute(f"UPDATE site_models SET {damage} WHERE kind = 'evidence'"))
    again = opened(rig.store, tmp_path, rig.child)
    await again.learning.load()
    assert again.cosine == 7.0
    assert again.bias == answer_model.shipped().question.bias
    assert [one for one in metrics.fallbacks() if one.startswith("evidence:")]


def test_what_was_learnt_under_another_release_is_not_mixed_with_this_one() -> None:
    shipped = answer_model.shipped()
    other = replace(shipped, sentence=replace(shipped.sentence, bias=9.0))
    content = evidence.to_bytes(other, shipped.question)
    with pytest.raises(answer_model.AnswerModelUnusable, match="another release"):
        evidence.from_bytes(content, shipped)
    assert evidence.from_bytes(content, other).bias == shipped.question.bias


async def test_a_child_that_dies_leaves_what_serves(rig: Rig) -> None:
    before = rig.cosine, rig.bias
    rig.child.says = TrainingFailed("It stopped.")
    with pytest.raises(TrainingFailed):
        await rig.learning.run(silent)
    assert (rig.cosine, rig.bias) == before
    assert await rig.learning.history() == []
    await rig.learn(lesson(ranking_of(7.0)), lesson(None, "x"))
    assert rig.cosine == 7.0


async def test_one_learning_at_a_time(rig: Rig) -> None:
    rig.child.go.clear()
    first = asyncio.create_task(rig.learning.run(silent))
    while not rig.child.asked:
        await asyncio.sleep(0)
    for second in (rig.learning.run(silent), rig.learning.roll_back(None)):
        with pytest.raises(LearningBusy):
            await second
    rig.child.go.set()
    await first


async def test_what_was_learnt_with_an_encoder_that_is_gone_is_not_kept(rig: Rig) -> None:
    rig.child.says = Learnt(lesson(ranking_of(7.0)), lesson(evidence_of(-1.5)))
    rig.child.go.clear()
    learning = asyncio.create_task(rig.learning.run(silent))
    while not rig.child.asked:
        await asyncio.sleep(0)
    rig.learning.use_encoder(OTHER, answer_model.shipped())
    rig.child.go.set()
    with pytest.raises(TrainingFailed, match="encoder"):
        await learning
    assert await rig.learning.history() == []
    assert rig.cosine == ranking.shipped().weights[0]


async def test_without_questions_to_judge_by_nothing_is_learnt(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").unlink()
    with pytest.raises(NothingToJudgeBy):
        await rig.learning.run(silent)
    assert not rig.child.asked
