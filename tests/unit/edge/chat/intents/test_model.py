"""A trained model: it learns, it predicts alike in any batch, it survives its bytes, and damage is refused."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from edge.chat.intents import model as module
from edge.chat.intents.model import DamagedIntentModel, IntentModel, from_bytes
from edge.chat.intents.training import STEPS, Candidate, train
from tests.unit.edge.chat.intents import corpus

ENCODER = "e" * 64


@pytest.fixture(scope="module")
def candidate() -> Candidate:
    found = corpus.examples()
    return train(found, corpus.embeddings(found), ENCODER)


def test_it_learns_what_it_is_shown(candidate: Candidate) -> None:
    found = corpus.examples(seed=2)
    intents = candidate.model.predict([e.text for e in found], corpus.embeddings(found))
    right = sum(intent.name == example.intent for intent, example in zip(intents, found, strict=True))
    assert right / len(found) > 0.95
    assert candidate.figures.accuracy > 0.9
    assert candidate.figures.examples == len(found)
    assert [f.examples for f in candidate.figures.intents] == [40] * 4


def test_confidence_is_near_accuracy(candidate: Candidate) -> None:
    assert abs(candidate.figures.confidence - candidate.figures.accuracy) < 0.1


def test_noise_is_out_of_scope_more_often_than_what_it_knows(candidate: Candidate) -> None:
    known = corpus.examples(seed=3)
    other = [corpus.Example(f"zxqv {n} blorp", f"other {n}") for n in range(100)]
    inside = candidate.model.predict([e.text for e in known], corpus.embeddings(known))
    outside = candidate.model.predict([e.text for e in other], corpus.embeddings(other))
    assert np.mean([intent.in_scope for intent in inside]) > 0.9
    assert np.mean([intent.in_scope for intent in outside]) < 0.5


def test_it_keeps_its_examples_and_what_held_back_models_said(candidate: Candidate) -> None:
    model = candidate.model
    assert model.examples() == corpus.examples()
    assert np.mean(model.predicted == model.labels) == pytest.approx(candidate.figures.accuracy, abs=1e-4)


def test_alone_or_in_a_batch(candidate: Candidate) -> None:
    found = corpus.examples()[:9]
    vectors = corpus.embeddings(found)
    together = candidate.model.predict([e.text for e in found], vectors)
    for index, example in enumerate(found):
        (alone,) = candidate.model.predict([example.text], vectors[index : index + 1])
        assert alone.name == together[index].name
        assert alone.confidence == pytest.approx(together[index].confidence, abs=1e-4)
        assert alone.in_scope == together[index].in_scope
    assert candidate.model.predict([], np.empty((0, corpus.DIM), np.float32)) == []


def test_two_intents_are_enough() -> None:
    found = [example for example in corpus.examples() if example.intent in {"parking", "lost_card"}]
    made = train(found, corpus.embeddings(found), ENCODER)
    intents = made.model.predict([e.text for e in found], corpus.embeddings(found))
    assert made.figures.accuracy > 0.9
    assert np.mean([i.name == e.intent for i, e in zip(intents, found, strict=True)]) > 0.95


def test_every_step_is_reported() -> None:
    steps: list[tuple[str, int, int]] = []
    found = corpus.examples()
    train(found, corpus.embeddings(found), ENCODER, lambda *step: steps.append(step))
    assert [done for _, done, _ in steps] == list(range(STEPS + 1))


def test_its_bytes_give_the_same_model(candidate: Candidate) -> None:
    found = corpus.examples()[:20]
    again = from_bytes(candidate.model.to_bytes())
    texts, vectors = [e.text for e in found], corpus.embeddings(found)
    assert again.predict(texts, vectors) == candidate.model.predict(texts, vectors)
    assert (again.names, again.encoder_sha256) == (candidate.model.names, ENCODER)


def test_no_cut_passes(candidate: Candidate) -> None:
    content = candidate.model.to_bytes()
    for end in range(0, len(content), len(content) // 40):
        with pytest.raises(DamagedIntentModel):
            from_bytes(content[:end])


def test_no_flipped_byte_passes(candidate: Candidate) -> None:
    content = candidate.model.to_bytes()
    good = candidate.model
    for place in range(60, len(content), len(content) // 60):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        try:
            found = from_bytes(bytes(flipped))
        except DamagedIntentModel:
            continue
        # A byte that nothing reads (time stamps of the archive): the model is the same.
        assert np.array_equal(found.weights, good.weights)
        assert np.array_equal(found.wording, good.wording)


def rewritten(model: IntentModel, **changes: object) -> bytes:
    """The model's bytes with arrays replaced; `head` takes changes of its JSON."""
    with np.load(io.BytesIO(model.to_bytes())) as archive:
        arrays = dict(archive)
    head = json.loads(arrays["head"].tobytes()) | dict(changes.pop("head", {}))  # type: ignore[call-overload]
    arrays |= {"head": np.frombuffer(json.dumps(head).encode(), np.uint8), **changes}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in arrays.items() if array is not None})
    return buffer.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.zeros((160, 3), np.float16)},
        {"weights": np.zeros((160, 4), np.float32)},
        {"weights": np.full((160, 4), np.nan, np.float16)},
        {"weights": np.array([{}], dtype=object)},
        {"signs": np.zeros(3, np.float32)},
        {"vectors": np.zeros((159, corpus.DIM), np.int8)},
        {"vectors": np.zeros(160, np.int8)},
        {"weights": None},
        {"wording": np.zeros((0, 4), np.float16)},
        {"idf": np.zeros(4, np.float32)},
        {"predicted": np.full(160, 4, np.uint16)},
        {"predicted": np.zeros(159, np.uint16)},
        {"labels": np.full(160, 4, np.uint16)},
        {"labels": np.zeros((160, 1), np.uint16)},
        {"head": {"format": 1}},
        {"head": {"names": ["a", "a", "b", "c"]}},
        {"head": {"names": [1, 2, 3, 4]}},
        {"head": {"names": None}},
        {"head": {"threshold": "nan"}},
        {"head": {"sharpness": "inf"}},
        {"head": {"ngrams": [3]}},
    ],
)
def test_what_training_would_not_write_is_refused(candidate: Candidate, change: dict[str, object]) -> None:
    with pytest.raises(DamagedIntentModel):
        from_bytes(rewritten(candidate.model, **change))


def test_a_bomb_is_not_unpacked(candidate: Candidate, monkeypatch: pytest.MonkeyPatch) -> None:
    content = candidate.model.to_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(item.file_size for item in archive.infolist())
    monkeypatch.setattr(module, "UNPACKED_BYTES_MAX", size)
    from_bytes(content)
    monkeypatch.setattr(module, "UNPACKED_BYTES_MAX", size - 1)
    with pytest.raises(DamagedIntentModel):
        from_bytes(content)


def test_predicting_needs_no_training_library() -> None:
    code = (
        "import edge.app, edge.chat.intents.model, edge.chat.intents.trainer, sys;"
        "print('sklearn' in sys.modules, 'scipy' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout.split() == ["False", "False"]
