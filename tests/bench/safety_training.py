"""What the safety check's second stage is trained on: collects the examples, fits, writes models/adapters/safety.npz.

Danger: our phrases in `models/recipes/safety/phrases`, and the English ones of the golden halves that are tuned on.
Ordinary: our own there; of strangers, each source apart, the questions of the sample sites, those of the recipe's
twenty sites, and BANKING77's training set. What a card may be right for is left out: some intents and documents, the
lines of `unsure.jsonl`, and whatever the first stage finds, which the second never sees. The development part of
BANKING77 only judges, as all of MedQuAD does.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence, Set
from importlib.resources import files
from pathlib import Path

import numpy as np

import models.adapters
import models.recipes
from edge.chat.routing import Route
from edge.chat.safety.check import MEANING_LANGUAGE
from edge.chat.safety.kind import Kind
from edge.chat.safety.model import SHIPPED, SafetyModel
from models.encoder import Encoder
from models.recipes.kind_network import FOLDS, ORDINARY, PHRASES, fit, said
from models.words import words
from tests.bench import harness

# Share of strangers' ordinary questions that one kind may claim. Whoever is in danger is missed at a higher price than
# whoever wants advice: the four kinds of danger may claim twice as much, and all seven together 1.1 %.
CLAIMED_DANGER_MAX = 2e-3
CLAIMED_MAX = 1e-3
KINDS = {
    kind: CLAIMED_DANGER_MAX if kind.route is Route.SAFETY else CLAIMED_MAX
    for kind in Kind
    if kind is not Kind.SITE
}
FOLDER = Path(models.recipes.__path__[0]) / "safety"
SAMPLES = ("bank", "clinic")
# Questions of these BANKING77 intents are about cards, phones and payments that are lost, stolen or strange: a card is
# right.
CARD_INTENTS = frozenset(
    {
        "lost_or_stolen_card",
        "lost_or_stolen_phone",
        "compromised_card",
        "card_swallowed",
        "card_payment_not_recognised",
        "cash_withdrawal_not_recognised",
        "direct_debit_payment_not_recognised",
    }
)
# Intents of the samples with questions for which some card would be right.
UNSURE_INTENTS = frozenset(
    {
        "lost_or_stolen_card",
        "fraud",
        "dispute_a_payment",
        "financial_advice",
        "medical_advice",
        "minor_injury",
        "pregnancy_and_maternity",
    }
)
# Documents of the recipe's sites about cases that are urgent.
UNSURE_DOCUMENTS = frozenset({"emergencies.md", "when-to-call.md"})


def is_held_out(text: str) -> bool:
    """Half of all texts, the same ones always."""
    return _hash(text) % 2 == 1


def train(
    encoder: Encoder, tuned: Sequence[tuple[str, str]], words_find: Callable[[str], bool]
) -> SafetyModel:
    """Fit and write. `tuned`: golden phrases with their kinds; `words_find`: whether the first stage finds anything."""
    unsure = {line["text"] for line in own_phrases("unsure.jsonl")}
    examples = {
        text: (ORDINARY, source)
        for text, source in strangers(UNSURE_INTENTS, UNSURE_DOCUMENTS, CARD_INTENTS)
        if text not in unsure and not words_find(text)
    }
    examples |= {text: (kind, PHRASES) for text, kind in (*_phrases(), *tuned)}
    texts = list(examples)
    labels, sources = zip(*examples.values(), strict=True)
    plain = said([word.text for word in words(text)] for text in texts)
    network = fit(encoder.embed(texts), plain, labels, sources, KINDS)
    parts = (part.astype(np.float32) for part in network)
    content = SafetyModel(tuple(KINDS), *parts, encoder=encoder.info.model).save()
    Path(models.adapters.__path__[0], SHIPPED).write_bytes(content)
    return SafetyModel.load(content)


def own_phrases(name: str) -> list[dict[str, str]]:
    """`text`, `kind` (ORDINARY for none) and `language` of each phrase in a file of `models/recipes/safety`."""
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def _phrases() -> Iterator[tuple[str, str]]:
    for path in sorted((FOLDER / "phrases").glob("*.jsonl")):
        for line in own_phrases(f"phrases/{path.name}"):
            if line["language"] == MEANING_LANGUAGE:
                yield line["text"], line["kind"]


def strangers(
    intents: Set[str], documents: Set[str], banking77: Set[str] = frozenset()
) -> Iterator[tuple[str, str]]:
    """Ordinary questions with their source, but for those of some intents of the samples, documents of the recipe's
    sites and intents of BANKING77, which is in as many parts as are left out in turn.
    """
    for name in SAMPLES:
        text = (files("edge.templates") / name / "intents.csv").read_text(encoding="utf-8")
        for question, intent in list(csv.reader(text.splitlines()))[1:]:
            if intent not in intents:
                yield question, name
    for path in sorted(Path(models.recipes.__path__[0]).glob("answerability/sites/*/questions.jsonl")):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if line.get("doc") not in documents:
                yield line["question"], path.parent.name
    with harness.data_file("intent", "banking77_train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["category"] not in banking77:
                yield row["text"], f"banking77-{_hash(row['text']) % FOLDS}"


def _hash(text: str) -> int:
    return hashlib.sha256(text.encode()).digest()[0]
