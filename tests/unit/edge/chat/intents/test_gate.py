"""The gate: worse is refused with reasons, as good passes, chance and relearning are told apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.chat.intents.examples import Example
from edge.chat.intents.figures import Figures
from edge.chat.intents.gate import Comparison, IntentChange, compare, reasons_against
from edge.chat.intents.model import IntentModel
from edge.chat.intents.training import train
from tests.unit.edge.chat.intents import corpus

FIGURES = Figures(100, 0.9, 0.95, 0.9, ())
EVEN = Comparison(1000, 0.9, 0.9, 20, 20, (), ())


@pytest.fixture(scope="module")
def model() -> IntentModel:
    return trained(corpus.examples())


def trained(found: list[Example]) -> IntentModel:
    return train(found, corpus.embeddings(found), "e").model


def test_as_good_passes() -> None:
    assert reasons_against(FIGURES, EVEN) == []
    assert reasons_against(FIGURES, None) == []


@pytest.mark.parametrize(("accuracy", "passes"), [(0.51, True), (0.5, True), (0.49, False)])
def test_least_accuracy(accuracy: float, passes: bool) -> None:
    assert (reasons_against(replace(FIGURES, accuracy=accuracy), None) == []) is passes


@pytest.mark.parametrize(
    ("lost", "won", "passes"),
    [(20, 20, True), (20, 25, True), (25, 20, True), (31, 20, True), (34, 20, False)],
)
def test_worse_beyond_chance(lost: int, won: int, passes: bool) -> None:
    found = replace(EVEN, lost=lost, won=won, after=0.9 - (lost - won) / 1000)
    assert (reasons_against(FIGURES, found) == []) is passes


def test_a_large_loss_needs_no_certainty() -> None:
    found = Comparison(50, 0.9, 0.86, 3, 1, (), ())
    assert "86.0%" in reasons_against(FIGURES, found)[0]


def test_one_intent_that_fell_is_named() -> None:
    fell, chance = IntentChange("fees", 20, 0.9, 0.7), IntentChange("parking", 20, 0.9, 0.8)
    (reason,) = reasons_against(FIGURES, replace(EVEN, intents=(fell, chance)))
    assert "fees (90% → 70%)" in reason
    assert "parking" not in reason


def test_intents_that_are_gone_are_named(model: IntentModel) -> None:
    kept = [example for example in corpus.examples() if example.intent != "parking"]
    found = compare(trained(kept), kept, corpus.embeddings(kept), model)
    assert found.missing == ("parking",)
    assert found.examples == len(kept)
    assert any("parking" in reason for reason in reasons_against(FIGURES, found))


def test_the_same_examples_again_pass(model: IntentModel) -> None:
    found = corpus.examples()
    comparison = compare(trained(found), found, corpus.embeddings(found), model)
    assert (comparison.lost, comparison.won) == (0, 0)
    assert reasons_against(FIGURES, comparison) == []


def test_the_old_model_gains_nothing_from_examples_it_has_seen(model: IntentModel) -> None:
    """It is judged by what models said that had not seen them, and those are not all right."""
    noisy = [replace(e, intent="parking") if n % 4 == 0 else e for n, e in enumerate(corpus.examples())]
    vectors = corpus.embeddings(corpus.examples(), noise=2.0)
    old = train(noisy, vectors, "e").model
    comparison = compare(old, noisy, vectors, old)
    fitted = old.predict([e.text for e in noisy], vectors)
    in_sample = np.mean([i.name == e.intent for i, e in zip(fitted, noisy, strict=True)])
    assert comparison.before == comparison.after < in_sample


def test_wrong_labels_are_refused(model: IntentModel) -> None:
    """A third of one intent labelled as another, as a careless edit of a spreadsheet does it."""
    spoiled = [
        replace(example, intent="lost_card") if example.intent == "parking" and index % 3 else example
        for index, example in enumerate(corpus.examples())
    ]
    candidate = train(spoiled, corpus.embeddings(spoiled), "e")
    comparison = compare(candidate.model, corpus.examples(), corpus.embeddings(corpus.examples()), model)
    assert reasons_against(candidate.figures, comparison)
