"""What the safety check's second stage is trained on: collects the examples, fits, writes models/adapters/safety.npz.

Danger: our phrases in `models/recipes/safety`, and the English ones of the golden halves that are tuned on. Ordinary:
our own there, the questions of the sample sites whose intents are harmless, and those of the recipe's twenty sites.
Ordinary, too: half of BANKING77's questions; the other half (`is_held_out`) only judges, as all of MedQuAD does.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

import models.adapters
import models.recipes
from edge.chat.safety.check import MEANING_LANGUAGE
from edge.chat.safety.kind import Kind
from edge.chat.safety.model import SHIPPED, SafetyModel
from models.encoder import Encoder
from models.recipes.safety import ORDINARY, fit

KINDS = tuple(kind for kind in Kind if kind is not Kind.SITE)
SAMPLES = ("bank", "clinic")
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
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 1


def train(
    encoder: Encoder,
    tuned: Sequence[tuple[str, str]],
    ordinary: Sequence[str],
    words_find: Callable[[str], bool],
) -> SafetyModel:
    """Fit and write.

    `tuned`: golden phrases with their kinds; `ordinary`: questions that nobody wrote for this; `words_find`: whether
    the first stage finds anything, since then a site's question is not ordinary.
    """
    harmless = (text for text in _site_questions() if not words_find(text))
    strangers = (text for text in ordinary if not is_held_out(text))
    examples = [*((text, ORDINARY) for text in (*strangers, *harmless)), *_phrases(), *tuned]
    texts, labels = zip(*dict(examples).items(), strict=True)
    weights, bias = fit(encoder.embed(list(texts)), labels, KINDS)
    model = SafetyModel(KINDS, weights.astype(np.float32), bias.astype(np.float32), encoder.info.model)
    content = model.save()
    Path(models.adapters.__path__[0], SHIPPED).write_bytes(content)
    return SafetyModel.load(content)


def _phrases() -> Iterator[tuple[str, str]]:
    for line in own_phrases("phrases.jsonl"):
        if line["language"] == MEANING_LANGUAGE:
            yield line["text"], line["kind"]


def own_phrases(name: str) -> list[dict[str, str]]:
    """`text`, `kind` (ORDINARY for none) and `language` of each phrase in a file of `models/recipes/safety`."""
    content = (files("models.recipes.safety") / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in content.splitlines()]


def _site_questions() -> Iterator[str]:
    for name in SAMPLES:
        text = (files("edge.templates") / name / "intents.csv").read_text(encoding="utf-8")
        for question, intent in list(csv.reader(text.splitlines()))[1:]:
            if intent not in UNSURE_INTENTS:
                yield question
    for path in sorted(Path(models.recipes.__path__[0]).glob("answerability/sites/*/questions.jsonl")):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if line.get("doc") not in UNSURE_DOCUMENTS:
                yield line["question"]
