"""What the site has learnt from its corrections: learn, judge, let serve without a restart, go back.

The ranking and the evidence that serve are one reference each, swapped between turns. A stored one that is damaged or
of another release is said loudly, and what Postern ships serves in its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from sqlite_utils import Database

from core.errors import PosternError
from edge import metrics
from edge.chat import heads
from edge.chat.answers.answering import Answering
from edge.chat.answers.model import AnswerModel
from edge.chat.apart import NICENESS_BESIDE_TURNS, TrainingFailed, TrainingSettings
from edge.chat.improvement import EXAMPLES_MAX
from edge.chat.intents.model import Floats, IntentModel
from edge.chat.intents.service import Intents
from edge.chat.learning import evidence, golden, intents, lessons, rows
from edge.chat.learning.examples import Examples
from edge.chat.learning.golden import Split
from edge.chat.learning.labels import Asks, LabelledQuestion
from edge.chat.learning.learner import Learnt, Lesson, Serving, learn_apart
from edge.chat.session_rows import now_ms
from edge.config import SitePaths
from edge.knowledge.ranking import RankingModel, UnusableRanking
from edge.knowledge.search import Searcher
from edge.store import site_models
from edge.store.site_models import ModelKind, NoSuchModel, SiteModel
from edge.store.store import Store
from models.encoder import ModelInfo
from models.progress import Report

log = logging.getLogger(__name__)

# The kinds that are learnt here; intents keep their versions themselves.
OWN_KINDS = (ModelKind.RANKING, ModelKind.EVIDENCE)
# All that the table holds.
ROWS_READ_MAX = EXAMPLES_MAX
LEARN_AGAIN = "Learn again: postern learn --site DIR"
# Figure of a version: which learning made it, by its beginning in milliseconds since the epoch.
RUN = "run"


class LearningBusy(PosternError):
    """A second learning while one runs."""

    code = "learning_busy"
    title = "The site is learning already"
    remedy = "Wait until that has ended."
    status = 409


@dataclass(frozen=True)
class Parts:
    """What of the site learning touches."""

    store: Store
    paths: SitePaths
    examples: Examples
    intents: Intents
    searcher: Searcher
    answering: Answering
    embed: Callable[[Sequence[str]], Floats]
    encoder: ModelInfo


class Learning:
    """Learning of one site. Used from one event loop."""

    def __init__(self, parts: Parts, settings: TrainingSettings, evidence_min: float) -> None:
        self._parts = parts
        self._settings = settings
        self._evidence_min = evidence_min
        self._shipped = parts.answering.model
        # The weights that serve, where they are the site's own.
        self._served: dict[ModelKind, bytes | None] = dict.fromkeys(OWN_KINDS)
        self._changing = asyncio.Lock()

    def yield_to_turns(self) -> None:
        """From now on learning gets only what turns leave over of the machine."""
        self._settings = replace(self._settings, niceness=NICENESS_BESIDE_TURNS)

    def use_encoder(self, encoder: ModelInfo, shipped: AnswerModel) -> None:
        """Another encoder serves, with `shipped`; `load` then looks for what the site has learnt with it."""
        self._parts = replace(self._parts, encoder=encoder)
        self._settings = replace(self._settings, model=encoder.model)
        self._shipped = shipped
        self._served = dict.fromkeys(OWN_KINDS)

    async def load(self) -> None:
        """Let what the site has learnt serve; what is damaged is said loudly, and what Postern ships serves."""
        for kind in OWN_KINDS:
            try:
                found = await self._parts.store.read(partial(site_models.active, kind=kind))
                self._serve(kind, found and found[1])
            except PosternError as error:
                self._serve(kind, None)
                metrics.fall_back(kind, error.code)
                log.error("running with what Postern ships", extra={"model": kind, "code": error.code})

    async def run(self, report: Report) -> dict[str, Any]:
        """Learn from all examples, judge, keep, and let serve what is better.

        Raises LearningBusy, BadGolden, NothingToJudgeBy, TrainingFailed, TrainingBusy.
        """
        if self._changing.locked():
            raise LearningBusy
        async with self._changing:
            said = await self._parts.store.read(lambda db: rows.newest(db, None, ROWS_READ_MAX))
            asked = golden.split(await self._parts.examples.golden(), said)
            answers = lessons.newest_word(one for one in asked.learn if not isinstance(one.label, Asks))
            run, encoder = now_ms(), self._parts.encoder
            learnt = await learn_apart(
                self._settings,
                self._parts.paths,
                self._parts.store.keys.store,
                self._evidence_min,
                asked.judge,
                answers,
                self._serving(),
                report,
            )
            kept = await self._keep(run, learnt, encoder)
            wanted = await self._learn_intents(run, asked, said, report)
        return {
            "run": run,
            "golden": {"source": asked.source, "questions": len(asked.judge)},
            "examples": len(asked.learn),
            "kinds": [*kept, wanted],
        }

    async def history(self) -> list[dict[str, Any]]:
        """All versions that were learnt from corrections, newest first."""
        found: list[SiteModel] = []
        for kind in ModelKind:
            found += await self._parts.store.read(partial(site_models.history, kind=kind))
        learnt = [model for model in found if RUN in model.figures]
        return [_listed(model) for model in sorted(learnt, key=lambda model: (-model.created_ms, model.kind))]

    async def roll_back(self, kind: ModelKind | None) -> dict[str, Any]:
        """Let serve what served before; of all kinds of the newest learning that serves, unless one is named.

        Raises LearningBusy, NoSuchModel.
        """
        if self._changing.locked():
            raise LearningBusy
        async with self._changing:
            if kind is ModelKind.INTENTS:
                return {"serving": {kind.value: await self._parts.intents.roll_back()}}
            changed = await self._parts.store.read(partial(_changed, kind=kind))
            serving = await self._parts.store.write(partial(_step_back, kinds=changed))
            await self.load()
            if ModelKind.INTENTS in changed:
                serving[ModelKind.INTENTS] = await self._parts.intents.roll_back()
        return {"serving": {of.value: version for of, version in serving.items()}}

    def _serving(self) -> Serving:
        return Serving(self._shipped.skims, self._served[ModelKind.RANKING], self._served[ModelKind.EVIDENCE])

    async def _keep(self, run: int, learnt: Learnt, encoder: ModelInfo) -> list[dict[str, Any]]:
        """Store both kinds in one transaction; then those that may serve do. Raises TrainingFailed.

        `encoder`: the one that served when the learning began; what it taught means nothing to another one.
        """
        if heads.mark(encoder) != heads.mark(self._parts.encoder):
            raise TrainingFailed("The encoder was changed while the site learnt.", remedy=LEARN_AGAIN)
        taught = {ModelKind.RANKING: learnt.ranking, ModelKind.EVIDENCE: learnt.evidence}
        versions = await self._parts.store.write(partial(_store, run=run, taught=taught))
        for kind, lesson in taught.items():
            if lesson.content is not None and not lesson.reasons:
                self._serve(kind, lesson.content)
                log.info("the site has learnt", extra={"model": kind, "version": versions[kind]})
        return [
            {"kind": kind.value, "version": versions[kind], "active": _may_serve(lesson), **_figures(lesson)}
            for kind, lesson in taught.items()
        ]

    async def _learn_intents(
        self, run: int, asked: Split, said: Sequence[LabelledQuestion], report: Report
    ) -> dict[str, Any]:
        serving = self._parts.intents.model
        skipped = {"kind": ModelKind.INTENTS.value, "version": None, "active": False}
        if serving is None:
            return {**skipped, "examples": 0, "reasons": ["This site has no intents yet."]}
        judged = [one for one in asked.judge if one.intent in serving.names]
        found = intents.addition(serving.examples(), intents.beside(said, judged), serving.names)
        if len(found.new) < lessons.EXAMPLES_MIN:
            return {**skipped, "examples": len(found.new), "reasons": [lessons.too_few(len(found.new))]}

        def further(new: IntentModel) -> list[str]:
            texts = [example.text for example in found.new] + [one.question for one in judged]
            vectors = self._parts.embed(texts)
            cut = len(found.new)
            return intents.against(serving, new, found.new, vectors[:cut], judged, vectors[cut:])

        outcome = await self._parts.intents.train(
            found.examples, report=report, further=further, note={RUN: run}
        )
        before, after = _accuracy(outcome.figures)
        return {
            "kind": ModelKind.INTENTS.value,
            "version": outcome.version,
            "active": outcome.active,
            "examples": len(found.new),
            "before": before,
            "after": after,
            "reasons": list(outcome.reasons),
        }

    def _serve(self, kind: ModelKind, content: bytes | None) -> None:
        """From the next turn on; None: what Postern ships. Raises UnusableRanking, AnswerModelUnusable."""
        if kind is ModelKind.RANKING:
            ranking = None if content is None else RankingModel.from_json(content)
            if ranking is not None and ranking.encoder != heads.mark(self._parts.encoder):
                raise UnusableRanking("What this site learnt belongs to another encoder.")
            self._parts.searcher.rank_with(ranking)
        else:
            own = None if content is None else evidence.from_bytes(content, self._shipped)
            question = self._shipped.question if own is None else own
            self._parts.answering.model = replace(self._shipped, question=question)
        self._served[kind] = content
        metrics.recover(kind)


def _may_serve(lesson: Lesson) -> bool:
    return lesson.content is not None and not lesson.reasons


def _figures(lesson: Lesson) -> dict[str, Any]:
    return {
        "examples": lesson.examples,
        "before": asdict(lesson.before),
        "after": asdict(lesson.after),
        "reasons": list(lesson.reasons),
    }


def _store(db: Database, *, run: int, taught: dict[ModelKind, Lesson]) -> dict[ModelKind, int | None]:
    """The version of each kind; None where nothing was fitted. `replaces` is the way back."""
    versions: dict[ModelKind, int | None] = {}
    for kind, lesson in taught.items():
        versions[kind] = None
        if lesson.content is None:
            continue
        figures = {**_figures(lesson), RUN: run, "replaces": _active_version(db, kind)}
        version = site_models.add(db, kind, lesson.content, figures, refused=bool(lesson.reasons))
        if not lesson.reasons:
            site_models.activate(db, kind, version)
        versions[kind] = version
    return versions


def _changed(db: Database, *, kind: ModelKind | None) -> list[ModelKind]:
    """The kinds that the newest learning, of those that serve, has changed. Raises NoSuchModel."""
    active = [
        one for of in ModelKind if kind in {None, of} and (one := _active(db, of)) and RUN in one.figures
    ]
    if not active:
        raise NoSuchModel(
            "Nothing that was learnt from corrections serves; there is nothing to go back to.",
            remedy="See what was learnt: postern learn --history",
        )
    newest = max(one.figures[RUN] for one in active)
    return [one.kind for one in active if one.figures[RUN] == newest]


def _step_back(db: Database, *, kinds: Sequence[ModelKind]) -> dict[ModelKind, int | None]:
    """What each of our own kinds serves now; None: what Postern ships."""
    back: dict[ModelKind, int | None] = {}
    for kind in OWN_KINDS:
        one = _active(db, kind) if kind in kinds else None
        if one is None:
            continue
        back[kind] = one.figures["replaces"]
        try:
            site_models.activate(db, kind, -1 if back[kind] is None else one.figures["replaces"])
        except NoSuchModel:  # none before, or it was so long ago that it is no longer kept
            site_models.deactivate(db, kind)
            back[kind] = None
    return back


def _listed(model: SiteModel) -> dict[str, Any]:
    figures = model.figures
    if model.kind is ModelKind.INTENTS:
        before, after = _accuracy(figures)
    else:
        before, after = figures["before"], figures["after"]
    return {
        "kind": model.kind.value,
        "version": model.version,
        "state": model.state.value,
        "created_ms": model.created_ms,
        "activated_ms": model.activated_ms,
        "examples": figures["examples"],
        "before": before,
        "after": after,
        "reasons": figures["reasons"],
    }


def _accuracy(figures: Mapping[str, Any]) -> tuple[dict[str, float] | None, dict[str, float]]:
    """Shares of held-back examples with their intent, before and after."""
    before = figures["before"]
    return before and {"accuracy": before["before"]}, {"accuracy": figures["accuracy"]}


def _active(db: Database, kind: ModelKind) -> SiteModel | None:
    states = (
        model for model in site_models.history(db, kind) if model.state is site_models.ModelState.ACTIVE
    )
    return next(states, None)


def _active_version(db: Database, kind: ModelKind) -> int | None:
    found = _active(db, kind)
    return found.version if found else None
