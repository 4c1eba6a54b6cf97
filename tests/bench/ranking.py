"""Train the ranking that Postern ships, and show before and after on questions that it was not trained on.

Trained on: MedQuAD questions that the bench `retrieval` does not ask, and our own small sites of
`models/recipes/answerability/sites`, each half of the whole; a share of the questions misspelt by rule. Shown on: the
questions of `retrieval`, and those of the sample sites.

    python -m tests.bench.ranking            show the shipped model's figures
    python -m tests.bench.ranking --train    fit, show and write models/adapters/ranking.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import models.adapters
from edge.config import site_paths
from edge.knowledge.document import Audience
from edge.knowledge.features import FEATURES
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.ranking import RankingModel, order, shipped
from edge.knowledge.search import Searcher
from edge.store.store import Store
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder
from models.recipes.ranking import Example, fit
from tests.bench import harness, medquad, retrieval
from tests.bench.harness import Report, progress

MEDQUAD_QUESTIONS = 6_000
SEED = 20_260_703
# Share of the training questions that are misspelt; every customer's keyboard is.
MISSPELT = 0.2
# Shorter words become other words.
SWAPPED_LETTERS_MIN = 4
# Half for the large collection, half for the small sites: a desk's collection is small, its questions name no title.
MEDQUAD_WEIGHT = 0.5
# What a further chunk of a section loses, in units of the cosine's weight. On small sites 0.05 to 0.2 are alike.
REPEAT = 0.1
TOPS = (1, 3, 5)
# The gate: the least share of each shown set that finds its document in the top five.
HIT5_MIN = 0.94
EMBED_TEXTS = 256
SITES = harness.REPOSITORY / "models" / "recipes" / "answerability" / "sites"
TEMPLATES = harness.REPOSITORY / "edge" / "templates"


@dataclass(frozen=True)
class Asked:
    """A question with the document that answers it, and a sentence of the answer where one is known."""

    question: str
    document: str
    quotes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A question's candidates as the searcher gave them."""

    chunk_ids: list[int]
    features: npt.NDArray[np.float64]
    sections: list[tuple[str, str]]
    right_document: npt.NDArray[np.bool_]
    right_chunk: npt.NDArray[np.bool_]


def main() -> int:
    parser = harness.arguments("ranking", seconds=0)
    parser.add_argument("--train", action="store_true", help="fit the weights and write them")
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> Report:
    """Collect, fit if asked to, and compare."""
    harness.data_file("retrieval", "medquad_qa.jsonl")
    report = Report("ranking", config={"medquad_questions": MEDQUAD_QUESTIONS, "seed": SEED})
    encoder = open_encoder(models_dir())
    try:
        asyncio.run(_bench(encoder, options.train, report))
    finally:
        encoder.close()
    return report


async def _bench(encoder: Encoder, train: bool, report: Report) -> None:
    shown = {f"sample {path.name}": await _site_cases(encoder, path, path) for path in _sample_sites()}
    small = {path.name: await _site_cases(encoder, path, path) for path in sorted(SITES.iterdir())}
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        await asyncio.to_thread(medquad.build_site, Path(folder))
        bench_pairs = medquad.questions(retrieval.QUESTIONS)
        learn = _training_questions({pair.document for pair in bench_pairs}) if train else []
        async with _open(encoder, Path(folder)) as base:
            asked = [Asked(pair.question, pair.document) for pair in bench_pairs]
            shown["medquad, bench"] = _cases(base, encoder, asked)
            large = _cases(base, encoder, _misspelt(learn))
    if train:
        model = train_model(large, [case for cases in small.values() for case in cases])
        _gate(model, shown)
        Path(models.adapters.__path__[0], "ranking.json").write_bytes(model.to_json())
    model = model if train else shipped()
    for name, cases in (shown | {f"trained on {name}": cases for name, cases in small.items()}).items():
        report.results[name] = {"questions": len(cases)} | {
            f"hit{top}": round(_hit(cases, model, top), 4) for top in TOPS
        }
    report.results["weights"] = json.loads(model.to_json())


def train_model(large: Sequence[Case], small: Sequence[Case]) -> RankingModel:
    """The weights of both kinds of collection together."""
    parts = ((large, MEDQUAD_WEIGHT), (small, 1 - MEDQUAD_WEIGHT))
    examples = [
        Example(case.features, case.right_chunk, share / len(cases))
        for cases, share in parts
        for case in cases
    ]
    weights = fit(examples)
    return RankingModel(weights, REPEAT * float(weights[FEATURES.index("cosine")]))


def _gate(model: RankingModel, shown: Mapping[str, Sequence[Case]]) -> None:
    """Refuse a model that falls short on questions that it was not trained on."""
    for name, cases in shown.items():
        found, least = _hit(cases, model, max(TOPS)), HIT5_MIN
        if found < least:
            raise harness.BenchRefused(
                f"Not written: {name} finds {found:.3f} in the top five, {least} is needed."
            )


def _hit(cases: Sequence[Case], model: RankingModel, top: int) -> float:
    return sum(_found(case, model, top) for case in cases) / len(cases)


def _found(case: Case, model: RankingModel, top: int) -> bool:
    scores = model.score(case.features)
    ranked = order(case.chunk_ids, scores, case.sections, model.repeat, top)
    return any(case.right_document[row] for row, _ in ranked)


@asynccontextmanager
async def _open(encoder: Encoder, site: Path) -> AsyncIterator[KnowledgeBase]:
    """The knowledge base of a site's folder, open for a while."""
    store = Store.open(site_paths(site))
    try:
        base = await KnowledgeBase.open(store, encoder, encoder.info.sha256)
        yield base
        await base.close()
    finally:
        await store.close()


async def _site_cases(encoder: Encoder, site: Path, questions: Path) -> list[Case]:
    """The candidates for a small site's questions, each that stands alone and that a public document answers."""
    documents = site / "documents"
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        async with _open(encoder, Path(folder)) as base:
            public = documents / "public"
            added = await base.add([public if public.is_dir() else documents])
            asked = [one for one in _questions(questions / "questions.jsonl") if one.document in added.added]
            return _cases(base, encoder, asked)


def _questions(path: Path) -> Iterator[Asked]:
    for line in path.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        if item.get("doc") and not item.get("previous"):
            quotes = item.get("quotes") or [item["quote"]] if item.get("quote") or item.get("quotes") else []
            yield Asked(item["question"], item["doc"], tuple(quotes))


def _training_questions(bench_documents: set[str]) -> list[Asked]:
    """MedQuAD's questions of other documents and other words than those of the bench."""
    everything = medquad.questions(sys.maxsize, SEED)
    words = {pair.question for pair in everything if pair.document in bench_documents}
    left = [p for p in everything if p.document not in bench_documents and p.question not in words]
    return [Asked(pair.question, pair.document) for pair in left[:MEDQUAD_QUESTIONS]]


def _misspelt(asked: Sequence[Asked]) -> list[Asked]:
    """Some of them with two neighbouring letters of their longest word in the wrong order."""
    chance = random.Random(SEED)
    return [
        Asked(_swapped(one.question, chance), one.document, one.quotes) if chance.random() < MISSPELT else one
        for one in asked
    ]


def _swapped(question: str, chance: random.Random) -> str:
    word = max(question.split(), key=len)
    if len(word) < SWAPPED_LETTERS_MIN:
        return question
    at = chance.randrange(1, len(word) - 2)
    return question.replace(word, word[:at] + word[at + 1] + word[at] + word[at + 2 :], 1)


def _cases(base: KnowledgeBase, encoder: Encoder, asked: Sequence[Asked]) -> list[Case]:
    progress(f"{len(asked):,} questions")
    cases = []
    for start in range(0, len(asked), EMBED_TEXTS):
        part = asked[start : start + EMBED_TEXTS]
        embeddings = encoder.embed([one.question for one in part])
        cases += [_case(base.searcher, one, vector) for one, vector in zip(part, embeddings, strict=True)]
    return cases


def _case(searcher: Searcher, asked: Asked, embedding: npt.NDArray[np.float32]) -> Case:
    chunk_ids, features = searcher.features(
        asked.question, embedding, Audience.PUBLIC, at_ms=time.time_ns() // 1_000_000
    )
    chunks = searcher.chunks(chunk_ids)
    document = np.array([chunk.document.id == asked.document for chunk in chunks], bool)
    quoted = np.array([any(quote in chunk.text for quote in asked.quotes) for chunk in chunks], bool)
    sections = [(chunk.document.id, chunk.section) for chunk in chunks]
    right = document & quoted
    return Case(chunk_ids, features, sections, document, right if right.any() else document)


def _sample_sites() -> list[Path]:
    return sorted(path.parent for path in TEMPLATES.glob("*/questions.jsonl"))


if __name__ == "__main__":
    sys.exit(main())
