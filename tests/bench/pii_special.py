"""Is a text that says something of a special category about somebody told from an ordinary question? Part of `pii`.

Recall is over `golden/special.jsonl`, written in another style than what is learned from, before it, and tuned on
nowhere; by category, by language, by words alone and with the network. Its author wrote the phrases that are learned
from, too. Ordinary are its own 300 tempting lines; BANKING77's development part and questions of MedQuAD (about
diseases, in general), which nobody wrote for this; and those of the sample sites, which the network has seen, but for
what is special in truth. That was judged by reading what rules or network had found among strangers' questions, before
thresholds were set (`unsure.jsonl`).

    python -m tests.bench.pii_special --json     these figures alone
    python -m tests.bench.pii_special --train    fit the network, write models/adapters/special.npz, and judge it
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import models.adapters
from models.catalog import models_dir
from models.detect.special import SHIPPED, SpecialModel, network_words, shipped
from models.detect.special_rules import Category, lexicon
from models.encoder import Encoder, open_encoder
from models.kind_network import KindNetwork
from models.recipes import special
from models.recipes.kind_network import ORDINARY, PHRASES, fit, said
from models.words import pieces
from tests.bench import harness, medquad
from tests.bench.harness import Report
from tests.bench.safety_training import SAMPLES, strangers

GOLDEN = Path(__file__).parent / "golden" / "special.jsonl"
# Share of strangers' ordinary questions that the network may claim for a category. Ordinary questions labelled personal
# or special may be 0.5 % together; health is what is said most, and most like ordinary questions of a clinic.
CLAIMED_HEALTH_MAX = 2e-3
CLAIMED_MAX = 1e-4
# Of 16,407 questions about diseases: enough for an interval of some tenths of a per cent, encoded in seconds.
MEDQUAD = 2_000
CLAIMED = {
    category: CLAIMED_HEALTH_MAX if category is Category.HEALTH else CLAIMED_MAX for category in Category
}


def special_figures(encoder: Encoder | None = None) -> dict[str, Any]:
    """Recall and false alarms of the model that ships. Opens the encoder of this machine if none is given."""
    if encoder is not None:
        return _figures(shipped(), encoder)
    opened = open_encoder(models_dir())
    try:
        return _figures(shipped(), opened)
    finally:
        opened.close()


def train(encoder: Encoder) -> SpecialModel:
    """Fit and write the network."""
    words, unsure = lexicon(), special.unsure()
    examples = {
        text: (ORDINARY, source)
        for text, source in strangers(frozenset(), frozenset())
        if text not in unsure and not words.categories(pieces(text))
    }
    examples |= {text: (label, PHRASES) for text, label in special.examples()}
    texts = list(examples)
    labels, sources = zip(*examples.values(), strict=True)
    plain = said(network_words(pieces(text)) for text in texts)
    network = fit(encoder.embed(texts), plain, labels, sources, CLAIMED)
    parts = (part.astype(np.float32) for part in network)
    content = KindNetwork(tuple(CLAIMED), *parts, encoder=encoder.info.model).save()
    Path(models.adapters.__path__[0], SHIPPED).write_bytes(content)
    return SpecialModel.load(content)


def _figures(model: SpecialModel, encoder: Encoder) -> dict[str, Any]:
    golden = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    told = [line for line in golden if line["category"]]
    texts = [line["text"] for line in told]
    found = _found(model, encoder, texts)
    by_words = [model.is_special(text) for text in texts]
    ordinary = {
        "golden_ordinary": [line["text"] for line in golden if not line["category"]],
        "banking77_dev": [
            json.loads(line)["text"]
            for line in harness.data_file("intent", "banking77_dev.jsonl").read_text("utf-8").splitlines()
        ],
        "medquad": [pair.question for pair in medquad.questions(MEDQUAD)],
        "sample_sites": _samples(),
    }
    return {
        "recall": _share(found),
        "recall_by_words": _share(by_words),
        "recall_english": _share(
            [hit for hit, line in zip(found, told, strict=True) if line["language"] == "en"]
        ),
        "by_category": _cells(found, [line["category"] for line in told]),
        "by_language": _cells(found, [line["language"] for line in told]),
        "false_alarms": {name: _share(_found(model, encoder, lines)) for name, lines in ordinary.items()},
    }


def _found(model: SpecialModel, encoder: Encoder, texts: Sequence[str]) -> list[bool]:
    embeddings = encoder.embed(texts)
    return [model.is_special(text, vector) for text, vector in zip(texts, embeddings, strict=True)]


def _samples() -> list[str]:
    """Questions of the sample sites that are ordinary in truth."""
    unsure = special.unsure()
    found: list[str] = []
    for name in SAMPLES:
        text = (files("edge.templates") / name / "intents.csv").read_text(encoding="utf-8")
        found += [row[0] for row in list(csv.reader(text.splitlines()))[1:] if row[0] not in unsure]
    return found


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    low, high = harness.share_interval(sum(hits), len(hits))
    return {
        "found": sum(hits),
        "of": len(hits),
        "share": round(sum(hits) / len(hits), 4),
        "share_95": [round(low, 4), round(high, 4)],
    }


def _cells(hits: Sequence[bool], names: Sequence[str]) -> dict[str, str]:
    of = Counter(names)
    found = Counter(name for name, hit in zip(names, hits, strict=True) if hit)
    return {name: f"{found[name]}/{of[name]}" for name in sorted(of)}


def bench(options: argparse.Namespace) -> Report:
    """The figures, after training with `--train`."""
    report = Report("pii_special", config={"golden": GOLDEN.name, "claimed": dict(CLAIMED)})
    encoder = open_encoder(models_dir())
    try:
        if options.train:
            train(encoder)
        report.results |= special_figures(encoder)
    finally:
        encoder.close()
    return report


if __name__ == "__main__":
    parser = harness.arguments("pii_special", 0)
    parser.add_argument("--train", action="store_true", help="fit the network and write its weights first")
    sys.exit(harness.run(parser, bench))
