"""The site's intents in a real store: train, judge, swap, go back, damage. Training itself is done in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import pytest

from edge import metrics
from edge.chat.apart import TrainingSettings
from edge.chat.intents import service
from edge.chat.intents.examples import BadExamples, Example
from edge.chat.intents.gate import reasons_against
from edge.chat.intents.model import WrongEncoder, from_bytes
from edge.chat.intents.service import Intents, NoIntents, RefusedModel, TrainingBusy
from edge.chat.intents.trainer import Trained, _compared
from edge.chat.intents.training import Candidate, train
from edge.config import site_paths
from edge.store.site_models import ModelState, NoSuchModel
from edge.store.store import Store
from models.progress import Report, silent
from tests.unit.edge.chat.intents import corpus

ENCODER = "e" * 64
SETTINGS = TrainingSettings("all-minilm-l6-v2", "auto", 0)
GOOD = corpus.examples()
# An intent fell out of the file: never what staff want without saying so.
SPOILED = [example for example in GOOD if example.intent != "parking"]


@cache
def candidate_of(examples: tuple[Example, ...]) -> Candidate:
    """Trained once for all tests."""
    return train(examples, corpus.embeddings(list(examples)), ENCODER)


async def train_here(
    settings: TrainingSettings, examples: Sequence[Example], active: bytes | None, report: Report
) -> Trained:
    """As the child does it, with the small language's vectors."""
    candidate = candidate_of(tuple(examples))
    comparison = compare_to(candidate.model.to_bytes(), examples, active)
    reasons = tuple(reasons_against(candidate.figures, comparison))
    figures = {**asdict(candidate.figures), "before": comparison and asdict(comparison), "reasons": reasons}
    return Trained(candidate.model.to_bytes(), figures, reasons)


async def train_on(encoder: str) -> Trained:
    trained = await train_here(SETTINGS, GOOD, None, silent)
    model = replace(from_bytes(trained.content), encoder_sha256=encoder)
    return replace(trained, content=model.to_bytes())


def compare_to(content: bytes, examples: Sequence[Example], active: bytes | None):  # type: ignore[no-untyped-def]
    import base64

    encoded = base64.b64encode(active).decode() if active else None
    return _compared(from_bytes(content), examples, corpus.embeddings(list(examples)), encoded)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "train_apart", train_here)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    yield opened
    await opened.close()
    metrics.recover(service.COMPONENT)


def intents_of(store: Store, encoder: str = ENCODER, dim: int = corpus.DIM) -> Intents:
    return Intents(store, SETTINGS, encoder, dim)


def names(intents: Intents, count: int = 8) -> list[str | None]:
    some = GOOD[:count]
    found = intents.understand([e.text for e in some], corpus.embeddings(some))
    return [intent and intent.name for intent in found]


def said() -> bool:
    """Whether metrics and status tell that intents are missing."""
    return any(fallback.startswith(service.COMPONENT + ":") for fallback in metrics.fallbacks())


async def states(intents: Intents) -> list[tuple[int, ModelState]]:
    return [(model.version, model.state) for model in await intents.history()]


async def test_without_a_model_no_question_has_an_intent(store: Store) -> None:
    intents = intents_of(store)
    await intents.load()
    assert names(intents, 2) == [None, None]
    assert intents.examples() == []
    with pytest.raises(NoIntents):
        intents.predict(["a"], corpus.embeddings(GOOD[:1]))


async def test_a_trained_model_serves_at_once_and_after_a_restart(store: Store) -> None:
    intents = intents_of(store)
    outcome = await intents.train(GOOD)
    assert (outcome.version, outcome.active, outcome.reasons) == (1, True, ())
    assert names(intents) == [e.intent for e in GOOD[:8]]
    again = intents_of(store)
    await again.load()
    assert again.version == 1
    assert again.examples() == GOOD
    assert names(again) == names(intents)


async def test_a_worse_model_is_kept_but_does_not_serve(store: Store) -> None:
    intents = intents_of(store)
    await intents.train(GOOD)
    before = names(intents, 40)
    outcome = await intents.train(SPOILED)
    assert not outcome.active
    assert outcome.reasons
    assert await states(intents) == [(2, ModelState.REFUSED), (1, ModelState.ACTIVE)]
    assert (intents.version, names(intents, 40)) == (1, before)
    with pytest.raises(RefusedModel):
        await intents.activate(2)


async def test_accepted_all_the_same_and_back(store: Store) -> None:
    intents = intents_of(store)
    await intents.train(GOOD)
    outcome = await intents.train(SPOILED, accept=True)
    assert outcome.active
    assert outcome.reasons
    assert intents.version == 2
    assert await intents.roll_back() == 1
    assert intents.version == 1
    assert await states(intents) == [(2, ModelState.RETIRED), (1, ModelState.ACTIVE)]
    await intents.activate(2)
    assert intents.version == 2


async def test_nothing_to_go_back_to(store: Store) -> None:
    intents = intents_of(store)
    await intents.train(GOOD)
    with pytest.raises(NoSuchModel):
        await intents.roll_back()
    with pytest.raises(NoSuchModel):
        await intents.activate(7)
    assert intents.version == 1


async def test_bad_examples_train_nothing(store: Store) -> None:
    intents = intents_of(store)
    with pytest.raises(BadExamples):
        await intents.train(GOOD[:5])
    assert await intents.history() == []


async def test_one_training_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, began = asyncio.Event(), asyncio.Event()

    async def slow(*task: object) -> Trained:
        began.set()
        await may_end.wait()
        return await train_here(*task)  # type: ignore[arg-type]

    monkeypatch.setattr(service, "train_apart", slow)
    intents = intents_of(store)
    first = asyncio.create_task(intents.train(GOOD))
    await began.wait()
    with pytest.raises(TrainingBusy):
        await intents.train(GOOD)
    with pytest.raises(TrainingBusy):
        await intents.activate(1)
    may_end.set()
    assert (await first).active


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE site_models SET content = substr(content, 1, 500) WHERE version = 2",
        "UPDATE site_models SET content = x'00', sha256 = "
        "x'6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d' WHERE version = 2",
    ],
)
async def test_a_damaged_model_is_said_and_the_one_before_comes_back(
    store: Store, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    intents = intents_of(store)
    await intents.train(GOOD)
    await intents.train(GOOD)
    await store.write(lambda db: db.execute(damage))
    again = intents_of(store)
    await again.load()
    assert names(again, 1) == [None]
    assert "running without intents" in caplog.text
    assert said()
    assert await again.roll_back() == 1
    assert names(again) == [e.intent for e in GOOD[:8]]
    assert not said()


async def test_intents_are_trained_again_on_another_encoder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await intents_of(store).train(GOOD)
    other = intents_of(store, encoder="f" * 64)
    await other.load()

    async def on_the_other(*_: object) -> Trained:
        return await train_on("f" * 64)

    monkeypatch.setattr(service, "train_apart", on_the_other)
    await other.follow_encoder()
    assert other.version == 2
    assert names(other) == [e.intent for e in GOOD[:8]]
    assert not said()
    await other.follow_encoder()  # nothing is due
    assert other.version == 2


async def test_back_on_the_encoder_before_nothing_is_trained(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    intents = intents_of(store)
    await intents.train(GOOD)
    taught: list[list[Example]] = []

    async def on_the_other(_: object, examples: list[Example], *__: object) -> Trained:
        taught.append(examples)
        trained = await train_here(SETTINGS, examples, None, silent)
        model = replace(from_bytes(trained.content), encoder_sha256="f" * 64)
        return replace(trained, content=model.to_bytes())

    monkeypatch.setattr(service, "train_apart", on_the_other)
    for encoder, version in (("f" * 64, 2), (ENCODER, 1), ("f" * 64, 2)):
        intents.use_encoder("another", encoder, corpus.DIM)
        await intents.follow_encoder()
        assert intents.version == version
        assert names(intents) == [e.intent for e in GOOD[:8]]
        assert not said()
    assert taught == [GOOD]
    # What was taught since counts: the version of before does not know it.
    assert (await intents.train(SPOILED, accept=True)).active
    intents.use_encoder("another", ENCODER, corpus.DIM)
    with pytest.raises(WrongEncoder):
        await intents.follow_encoder()
    assert taught == [GOOD, SPOILED, SPOILED]


class Trainings:
    """Each begins with the encoder that serves then, and ends when it is let."""

    def __init__(self) -> None:
        self.serves = ENCODER
        self.begun = asyncio.Semaphore(0)
        self.go = asyncio.Semaphore(0)

    async def __call__(self, *_: object) -> Trained:
        encoder = self.serves
        self.begun.release()
        await self.go.acquire()
        return await train_on(encoder)

    def change(self, intents: Intents, encoder: str) -> None:
        self.serves = encoder
        intents.use_encoder("another", encoder, corpus.DIM)


async def test_intents_follow_an_encoder_that_came_while_they_were_trained(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainings, intents = Trainings(), intents_of(store)
    monkeypatch.setattr(service, "train_apart", trainings)
    by_hand = asyncio.create_task(intents.train(GOOD))
    await trainings.begun.acquire()
    trainings.change(intents, "f" * 64)
    following = asyncio.create_task(intents.follow_encoder())
    trainings.go.release()
    with pytest.raises(WrongEncoder):
        await by_hand
    await trainings.begun.acquire()
    trainings.change(intents, "0" * 64)  # and once more, while they follow
    for _ in range(2):
        trainings.go.release()
    await following
    assert names(intents) == [e.intent for e in GOOD[:8]]
    assert await states(intents) == [(1, ModelState.ACTIVE)]
    assert not said()


async def test_intents_that_cannot_follow_say_so_rather_than_train_for_ever(store: Store) -> None:
    await intents_of(store).train(GOOD)
    other = intents_of(store, encoder="f" * 64)
    await other.load()
    with pytest.raises(WrongEncoder):
        await other.follow_encoder()  # trains on the first encoder's vectors again


async def test_a_change_between_storing_and_serving_is_seen(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    intents, write = intents_of(store), store.write

    async def write_and_change(work: Callable[..., int]) -> int:
        version = await write(work)
        intents.use_encoder("another", "f" * 64, corpus.DIM)
        return version

    monkeypatch.setattr(store, "write", write_and_change)
    with pytest.raises(WrongEncoder):
        await intents.train(GOOD)
    assert names(intents, 1) == [None]


async def test_a_model_of_another_encoder_does_not_serve(store: Store) -> None:
    await intents_of(store).train(GOOD)
    other = intents_of(store, encoder="f" * 64)
    await other.load()
    assert names(other, 1) == [None]
    assert said()
    with pytest.raises(WrongEncoder):
        await other.activate(1)
