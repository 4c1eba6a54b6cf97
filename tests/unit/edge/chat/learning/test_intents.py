"""Intents learn from what staff say: better at it and no worse on golden questions, or the old ones stay."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from edge import metrics
from edge.chat.answers import model as answer_model
from edge.chat.apart import TrainingSettings
from edge.chat.intents import service as intents_service
from edge.chat.intents.examples import Example
from edge.chat.intents.gate import reasons_against
from edge.chat.intents.service import Intents
from edge.chat.intents.trainer import Trained, _compared
from edge.chat.intents.training import train
from edge.chat.learning import rows, service
from edge.chat.learning.examples import Examples
from edge.chat.learning.labels import Asks, Source
from edge.chat.learning.service import Learning, Parts
from edge.config import site_paths
from edge.knowledge.search import Searcher
from edge.store.site_models import ModelKind
from edge.store.store import Store
from models.catalog import DEFAULT_ENCODER
from models.encoder import ModelInfo
from models.progress import Report, silent
from tests.integration import mill
from tests.unit.edge.chat.desk_rig import scan_forms
from tests.unit.edge.chat.intents import corpus
from tests.unit.edge.chat.intents.test_service import ENCODER, SETTINGS
from tests.unit.edge.chat.learning.test_service import Child, Desk

BASE = corpus.examples()
# What customers say of appointments here, in words of their own that nothing in BASE is near to.
SAYINGS = [Example(f"a slot with the vet {ending}", "appointment") for ending in corpus._ENDINGS]
MEANING_OF = {example.text: example.intent for example in BASE} | {one.text: "vets" for one in SAYINGS}


def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """The small language's vectors: near what is meant, whatever somebody says that it is."""
    return corpus.embeddings([Example(text, MEANING_OF[text]) for text in texts])


async def embedded_here(
    settings: TrainingSettings, examples: Sequence[Example], active: bytes | None, report: Report
) -> Trained:
    """As the child does it."""
    vectors = embed([example.text for example in examples])
    candidate = train(examples, vectors, ENCODER)
    encoded = base64.b64encode(active).decode() if active else None
    comparison = _compared(candidate.model, examples, vectors, encoded)
    reasons = tuple(reasons_against(candidate.figures, comparison))
    before = comparison and asdict(comparison)
    figures = {**asdict(candidate.figures), "before": before, "reasons": reasons}
    return Trained(candidate.model.to_bytes(), figures, reasons)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(site_paths(tmp_path))
    yield opened
    await opened.close()
    metrics.recover(intents_service.COMPONENT)


@pytest.fixture
async def learning(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Learning:
    monkeypatch.setattr(intents_service, "train_apart", embedded_here)
    monkeypatch.setattr(service, "learn_apart", Child())
    (tmp_path / "questions.jsonl").write_text(mill.lines(mill.GOLDEN))
    intents = Intents(store, SETTINGS, ENCODER, corpus.DIM)
    await intents.train(BASE)
    examples = Examples(
        store, cast(Any, None), lambda: intents.names, tmp_path / "questions.jsonl", scan_forms
    )
    desk = Desk(answer_model.shipped())
    encoder = ModelInfo(DEFAULT_ENCODER, "1", "onnxruntime", "CPU", "00")
    parts = Parts(store, site_paths(tmp_path), examples, intents, Searcher(4), desk, embed, encoder)
    return Learning(parts, SETTINGS, 0.25)


async def said(store: Store, found: Sequence[Example]) -> None:
    for example in found:
        label = Asks(example.intent)
        await store.write(
            lambda db, text=example.text, label=label: rows.put(db, text, label, Source.CORRECTION, 1)
        )


async def learnt(learning: Learning) -> dict[str, Any]:
    told = await learning.run(silent)
    return next(one for one in told["kinds"] if one["kind"] == "intents")


async def test_fewer_than_ten_corrections_train_nothing(learning: Learning, store: Store) -> None:
    await said(store, SAYINGS[:9])
    told = await learnt(learning)
    assert (told["active"], told["version"], told["examples"]) == (False, None, 9)


async def test_corrections_that_help_serve_and_go_back_with_the_rest(
    learning: Learning, store: Store
) -> None:
    before = learning._parts.intents.version
    await said(store, SAYINGS)
    told = await learnt(learning)
    assert (told["active"], told["reasons"], told["examples"]) == (True, [], 10)
    assert learning._parts.intents.version == told["version"]
    (kept,) = await learning.history()
    assert (kept["kind"], kept["state"], kept["version"]) == ("intents", "active", told["version"])
    assert (await learning.roll_back(None))["serving"] == {ModelKind.INTENTS: before}
    assert learning._parts.intents.version == before


async def test_what_is_known_already_teaches_nothing(learning: Learning, store: Store) -> None:
    await said(store, BASE[:20])
    assert (await learnt(learning))["examples"] == 0


async def test_golden_questions_with_an_intent_speak_against_mistaken_corrections(
    learning: Learning, store: Store, tmp_path: Path
) -> None:
    asked = [f"the van must stand {ending}" for ending in corpus._ENDINGS]
    stands = [f"the {what} must stand {ending}" for what in ("car", "lorry") for ending in corpus._ENDINGS]
    mistaken = [Example(text, "lost_card") for text in stands]
    MEANING_OF.update(dict.fromkeys([*asked, *stands], "parking"))
    file = tmp_path / "questions.jsonl"
    lines = [json.dumps({"question": text, "doc": None, "intent": "parking"}) + "\n" for text in asked]
    file.write_text(file.read_text() + "".join(lines))
    before = learning._parts.intents.version
    await said(store, mistaken)
    told = await learnt(learning)
    assert not told["active"]
    assert any("golden questions" in reason for reason in told["reasons"])
    assert learning._parts.intents.version == before
