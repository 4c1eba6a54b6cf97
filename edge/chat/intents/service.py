"""The site's intents: the model that serves, and how another one takes its place while turns go on.

Questions are predicted in the node's batch thread with whatever model serves at that moment; a change swaps one
reference. A stored model that is damaged or belongs to another encoder is said loudly, and the node runs without
intents.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlite_utils import Database

from core.errors import ExitCode, PosternError
from edge import metrics
from edge.chat.apart import NICENESS_BESIDE_TURNS, TrainingFailed, TrainingSettings
from edge.chat.intents.examples import Example, check_examples
from edge.chat.intents.model import DamagedIntentModel, Floats, Intent, IntentModel, WrongEncoder, from_bytes
from edge.chat.intents.trainer import Trained, train_apart
from edge.store import site_models
from edge.store.site_models import ModelKind, ModelState, NoSuchModel, SiteModel
from edge.store.store import Store
from models.progress import Report, silent

log = logging.getLogger(__name__)

KIND = ModelKind.INTENTS
_SERVED = (ModelState.ACTIVE, ModelState.RETIRED)
NO_NOTE: Mapping[str, Any] = {}
Further = Callable[[IntentModel], Sequence[str]]
"""What speaks against a trained model that its gate does not look at; called away from the event loop."""
COMPONENT = "intents"


class NoIntents(PosternError):
    """No intent model serves."""

    code = "no_intents"
    title = "This site has no intents"
    remedy = "Train them: postern intents train --site DIR FILE.csv"
    status = 409


class TrainingBusy(PosternError):
    """A second training while one runs."""

    code = "training_busy"
    title = "Intents are being trained already"
    remedy = "Wait until that training has ended."
    status = 409


class RefusedModel(PosternError):
    """A version was to serve that its gate had refused."""

    code = "refused_model"
    title = "This version was refused because it is worse"
    remedy = "See why with `postern intents list`; --accept lets it serve all the same."
    status = 409
    exit_code = ExitCode.CHECK_FAILED


@dataclass(frozen=True)
class Outcome:
    """A training's end. `reasons`: why the gate was against it; `active`: whether it serves now."""

    version: int
    active: bool
    reasons: tuple[str, ...]
    figures: dict[str, Any]


@dataclass(frozen=True)
class _Serving:
    version: int
    model: IntentModel


class Intents:
    """The intents of one site. Used from one event loop; `understand` from any thread."""

    def __init__(self, store: Store, settings: TrainingSettings, encoder_sha256: str, dim: int) -> None:
        self._store = store
        self._settings = settings
        self._encoder_sha256 = encoder_sha256
        self._dim = dim
        self._serving: _Serving | None = None
        self._outdated: list[Example] | None = None
        self._changing = asyncio.Lock()

    @property
    def version(self) -> int | None:
        """The version that serves."""
        return self._serving.version if self._serving else None

    @property
    def names(self) -> tuple[str, ...]:
        """The intents that questions can have now."""
        return self._serving.model.names if self._serving else ()

    def examples(self) -> list[Example]:
        """What the version that serves was trained on, in its order; none where none serves."""
        return self._serving.model.examples() if self._serving else []

    def yield_to_turns(self) -> None:
        """From now on a training gets only what turns leave over of the machine."""
        self._settings = replace(self._settings, niceness=NICENESS_BESIDE_TURNS)

    async def load(self) -> None:
        """Let the stored active version serve; a bad one is said loudly, and none serves."""
        self._outdated = None
        try:
            found = await self._store.read(lambda db: site_models.active(db, KIND))
            self._serving = None if found is None else await self._opened(*found)
            metrics.recover(COMPONENT)
        except PosternError as error:
            self._serving = None
            metrics.fall_back(COMPONENT, error.code)
            log.error("running without intents", extra={"code": error.code, "detail": error.detail})

    def use_encoder(self, model: str, space: str, dim: int) -> None:
        """Another encoder serves: none of the intents does, until `follow_encoder` has trained them again."""
        examples = self.examples() or self._outdated
        self._settings = replace(self._settings, model=model)
        self._encoder_sha256, self._dim = space, dim
        self._serving, self._outdated = None, examples
        if examples:
            metrics.fall_back(COMPONENT, WrongEncoder.code)

    async def follow_encoder(self) -> None:
        """Train the intents that serve on the site's encoder, where they were trained on another one's vectors.

        Where it is the encoder before that came back, its version serves again. Waits for a training that is under
        way, and begins again where the encoder changes meanwhile.
        """
        async with self._changing:
            while self._outdated is not None:
                encoder = self._encoder_sha256
                try:
                    if await self._serves_again(self._outdated):
                        return
                    log.warning("intents are trained again: the encoder changed")
                    outcome = await self._train(self._outdated, False, silent, None, NO_NOTE)
                except (WrongEncoder, TrainingFailed):  # the model of the encoder that went may be gone, too
                    if encoder == self._encoder_sha256:
                        raise
                    continue
                if not outcome.active:
                    log.error("running without intents", extra={"reasons": outcome.reasons})
                    return

    async def _serves_again(self, examples: list[Example]) -> bool:
        """Whether one of the two versions that served last, of the same examples, is of the encoder that serves now."""
        for version in await self._store.read(_served_last):
            with contextlib.suppress(NoSuchModel, DamagedIntentModel):
                _, content = await self._store.read(partial(site_models.content, kind=KIND, version=version))
                model = await asyncio.to_thread(from_bytes, content)
                if self._is_ours(model) and model.examples() == examples:
                    await self._store.write(partial(site_models.activate, kind=KIND, version=version))
                    self._serve(version, model)
                    return True
        return False

    def understand(self, texts: Sequence[str], embeddings: Floats) -> Sequence[Intent | None]:
        """The intent of each text with its embedding, float32 [n, dim]; None where no model serves."""
        serving = self._serving
        return [None] * len(texts) if serving is None else serving.model.predict(texts, embeddings)

    def predict(self, texts: Sequence[str], embeddings: Floats) -> list[Intent]:
        """As `understand`. Raises NoIntents."""
        if self._serving is None:
            raise NoIntents
        return self._serving.model.predict(texts, embeddings)

    @property
    def model(self) -> IntentModel | None:
        """The model that serves."""
        return self._serving.model if self._serving else None

    async def train(
        self,
        examples: Sequence[Example],
        *,
        accept: bool = False,
        report: Report = silent,
        further: Further | None = None,
        note: Mapping[str, Any] = NO_NOTE,
    ) -> Outcome:
        """Train on `examples` in a process of its own, judge, keep, and let the result serve unless it is worse.

        `accept`: also when it is worse. `further`: what else may speak against it. `note`: kept with its figures.
        Raises BadExamples, TrainingBusy, TrainingFailed, ModelTooLarge.
        """
        check_examples(examples)
        if self._changing.locked():
            raise TrainingBusy
        async with self._changing:
            return await self._train(examples, accept, report, further, note)

    async def _train(
        self,
        examples: Sequence[Example],
        accept: bool,
        report: Report,
        further: Further | None,
        note: Mapping[str, Any],
    ) -> Outcome:
        """As `train`, for who holds `_changing`."""
        old = await self._comparable()
        trained = await train_apart(self._settings, examples, old, report)
        trained = replace(trained, figures={**trained.figures, **note})
        if further is not None:
            trained = _with_reasons(trained, await asyncio.to_thread(further, from_bytes(trained.content)))
        serving = None if trained.reasons and not accept else await self._opened(0, trained.content)
        version = await self._store.write(partial(_keep, trained=trained, activate=serving is not None))
        if serving is not None:
            self._serve(version, serving.model)
        return Outcome(version, serving is not None, trained.reasons, trained.figures)

    async def activate(self, version: int, *, accept: bool = False) -> None:
        """Let a stored version serve. Raises NoSuchModel, RefusedModel, DamagedIntentModel, WrongEncoder."""
        if self._changing.locked():
            raise TrainingBusy
        async with self._changing:
            state, content = await self._store.read(lambda db: site_models.content(db, KIND, version))
            if state is ModelState.REFUSED and not accept:
                raise RefusedModel
            serving = await self._opened(version, content)
            await self._store.write(lambda db: site_models.activate(db, KIND, version))
            self._serve(version, serving.model)

    async def roll_back(self) -> int:
        """Let the version serve that served before; returns it. Raises as `activate`."""
        version = await self._store.read(lambda db: site_models.previous(db, KIND))
        await self.activate(version, accept=True)
        return version

    async def history(self) -> list[SiteModel]:
        """All versions that are kept, newest first."""
        return await self._store.read(lambda db: site_models.history(db, KIND))

    async def _comparable(self) -> bytes | None:
        """The weights of the version that serves, to judge the new one by."""
        if self._serving is None:
            return None
        version = self._serving.version
        return (await self._store.read(lambda db: site_models.content(db, KIND, version)))[1]

    async def _opened(self, version: int, content: bytes) -> _Serving:
        """Unpacked and checked, away from the event loop. Raises DamagedIntentModel, WrongEncoder."""
        model = await asyncio.to_thread(from_bytes, content)
        self._check(model)
        return _Serving(version, model)

    def _check(self, model: IntentModel) -> None:
        """Raises WrongEncoder, and `follow_encoder` has its examples to train on."""
        if not self._is_ours(model):
            self._outdated = model.examples()
            raise WrongEncoder

    def _is_ours(self, model: IntentModel) -> bool:
        return (model.encoder_sha256, model.dim) == (self._encoder_sha256, self._dim)

    def _serve(self, version: int, model: IntentModel) -> None:
        """Raises WrongEncoder: the encoder changed since it was opened."""
        self._check(model)
        self._serving, self._outdated = _Serving(version, model), None
        metrics.recover(COMPONENT)
        log.info("intents serve", extra={"version": version, "intents": len(model.names)})


def _with_reasons(trained: Trained, more: Sequence[str]) -> Trained:
    reasons = (*trained.reasons, *more)
    return replace(trained, reasons=reasons, figures={**trained.figures, "reasons": reasons})


def _served_last(db: Database) -> list[int]:
    """The version that serves, and the one before it."""
    served = [one for one in site_models.history(db, KIND) if one.activated_ms and one.state in _SERVED]
    return [one.version for one in sorted(served, key=lambda one: one.activated_ms or 0, reverse=True)[:2]]


def _keep(db: Database, *, trained: Trained, activate: bool) -> int:
    """The version's number."""
    refused = bool(trained.reasons) and not activate
    version = site_models.add(db, KIND, trained.content, trained.figures, refused=refused)
    if activate:
        site_models.activate(db, KIND, version)
    return version
