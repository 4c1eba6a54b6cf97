"""Does a question find its own answer? All of MedQuAD, 1,000 fixed questions, top five; and what a search costs.

The two legs that the product must beat are this file's own: plain BM25 (tantivy's English stemmer, one field) and
plain cosine in float32, over the same chunks and vectors.

    python -m tests.bench.retrieval --json [--seconds N]
    python -m tests.bench.retrieval --site DIR      only make the store of the site in DIR, with MedQuAD in it
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import psutil
import tantivy

from edge.config import site_paths
from edge.knowledge import rows, search
from edge.knowledge.document import Audience
from edge.knowledge.ingest import KnowledgeBase
from edge.knowledge.search import IndexedChunk, Mode
from edge.store.store import Store
from models.catalog import models_dir
from models.encoder import Encoder, open_encoder
from tests.bench import harness, medquad
from tests.bench.harness import Report, progress

QUESTIONS = 1_000
TOP = 5
BATCHES = (1, 8, 32)
MODES: tuple[Mode, ...] = ("hybrid", "lexical", "vector")


def main() -> int:
    parser = harness.arguments("retrieval", seconds=20)
    parser.add_argument(
        "--site", type=Path, help="make this site's store with MedQuAD in it, measure nothing"
    )
    options = parser.parse_args()
    if options.site:
        try:
            report = medquad.build_site(options.site)
        except harness.BenchRefused as refusal:
            sys.stderr.write(f"{refusal}\n")
            return 1
        progress(
            f"added {len(report.added):,}, unchanged {len(report.unchanged):,}, failed {len(report.failed):,}"
        )
        return 0
    return harness.run(parser, bench)


def bench(options: argparse.Namespace) -> Report:
    """Build a site with MedQuAD, ask, compare, time."""
    harness.data_file("retrieval", "medquad_qa.jsonl")
    report = Report("retrieval", config={"questions": QUESTIONS, "top": TOP, "seed": medquad.QUESTIONS_SEED})
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        started = time.perf_counter()
        medquad.build_site(Path(folder))
        report.results["build_site_s"] = round(time.perf_counter() - started, 2)
        asyncio.run(_measure(Path(folder), options.seconds, report))
    return report


async def _measure(site: Path, seconds: float, report: Report) -> None:
    encoder = open_encoder(models_dir())
    store = Store.open(site_paths(site))
    try:
        before = psutil.Process().memory_info().rss
        started = time.perf_counter()
        base = await KnowledgeBase.open(store, encoder, encoder.info.space)
        report.results["start_s"] = round(time.perf_counter() - started, 2)
        report.results["index_rss_mb"] = round((psutil.Process().memory_info().rss - before) / 1e6, 1)
        groups = await store.read(lambda db: list(rows.all_chunks(db, 8192)))
        chunks = [chunk for group, _ in groups for chunk in group]
        vectors = np.concatenate([part for _, part in groups]).astype(np.float32)
        report.results |= {"documents": len({c.document.id for c in chunks}), "chunks": len(chunks)}
        report.config["encoder"] = f"{encoder.info.model} {encoder.info.runtime} {encoder.info.sha256[:12]}"
        _judge(base, encoder, chunks, vectors, seconds, report)
    finally:
        await store.close()
        encoder.close()


def _judge(
    base: KnowledgeBase,
    encoder: Encoder,
    chunks: Sequence[IndexedChunk],
    vectors: npt.NDArray[np.float32],
    seconds: float,
    report: Report,
) -> None:
    pairs = medquad.questions(QUESTIONS)
    texts = [pair.question for pair in pairs]
    own = [pair.document for pair in pairs]
    embeddings = encoder.embed(texts)
    progress("searching")
    names = {
        mode: [
            [passage.doc for passage in found]
            for found in base.searcher.search_batch(texts, embeddings, Audience.PUBLIC, TOP, mode, at_ms=0)
        ]
        for mode in MODES
    }
    legs = {"lexical": plain_bm25(chunks, texts), "vector": plain_cosine(chunks, vectors, embeddings)}
    hits = {"hybrid": _hits(names["hybrid"], own)} | {leg: _hits(found, own) for leg, found in legs.items()}
    for name, count in hits.items():
        low, high = harness.share_interval(count, len(own))
        report.judged[f"hit5_{name}"] = count / len(own)
        report.results[f"hit5_{name}_95"] = [round(low, 4), round(high, 4)]
    report.results["product_legs"] = {leg: _hits(names[leg], own) / len(own) for leg in ("lexical", "vector")}
    report.judged["hit1_hybrid"] = _hits(names["hybrid"], own, 1) / len(own)
    report.results["cpu_ms_per_query"] = _speed(base, texts, embeddings, seconds)
    report.judged["ranking_ms"] = _ranking_ms(base, texts, embeddings)


def _hits(found: Sequence[Sequence[str]], own: Sequence[str], top: int = TOP) -> int:
    return sum(name in names[:top] for name, names in zip(own, found, strict=True))


def _ranking_ms(base: KnowledgeBase, texts: Sequence[str], embeddings: npt.NDArray[np.float32]) -> float:
    """Median ms of processor time of one query's ranking: features, scores and order of what the legs found."""
    spent: list[float] = []
    ranked = search._ranked

    def timed(*arguments: Any) -> Any:
        started = time.thread_time()
        result = ranked(*arguments)
        spent.append((time.thread_time() - started) * 1000)
        return result

    with mock.patch.object(search, "_ranked", timed):
        for text, embedding in zip(texts, embeddings, strict=True):
            base.searcher.search(text, embedding, Audience.PUBLIC, TOP, at_ms=0)
    return round(statistics.median(spent), 3)


def plain_bm25(chunks: Sequence[IndexedChunk], questions: Sequence[str]) -> list[list[str]]:
    """BM25 (k1 1.2, b 0.75) over title and text as one field, English stems; each question's words as a disjunction."""
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", fast=True)
    builder.add_text_field("text", tokenizer_name="en_stem")
    schema = builder.build()
    index = tantivy.Index(schema)
    writer = index.writer(64_000_000, 1)
    for row, chunk in enumerate(chunks):
        writer.add_document(tantivy.Document(row=row, text=f"{chunk.document.title}\n{chunk.text}"))
    writer.commit()
    index.reload()
    searcher = index.searcher()
    analyser = (
        tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
        .filter(tantivy.Filter.remove_long(40))
        .filter(tantivy.Filter.lowercase())
        .filter(tantivy.Filter.stemmer("english"))
        .build()
    )
    results = []
    for question in questions:
        words = [tantivy.Query.term_query(schema, "text", word) for word in analyser.analyze(question)]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, word) for word in words])
        found = searcher.search(query, TOP, count=False).hits
        found_rows = searcher.fast_field_values("row", [address for _, address in found])
        results.append([chunks[int(row or 0)].document.id for row in found_rows])
    return results


def plain_cosine(
    chunks: Sequence[IndexedChunk], vectors: npt.NDArray[np.float32], embeddings: npt.NDArray[np.float32]
) -> list[list[str]]:
    """The nearest chunks in float32."""
    results = []
    for start in range(0, len(embeddings), 100):
        scores = embeddings[start : start + 100] @ vectors.T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        results += [[chunks[row].document.id for row in line] for line in best]
    return results


def _speed(
    base: KnowledgeBase, texts: Sequence[str], embeddings: npt.NDArray[np.float32], seconds: float
) -> dict[str, Any]:
    """Median ms of processor time a query, by mode and batch; the wall clock would count the neighbours, too."""
    cells = [(mode, batch) for mode in MODES for batch in BATCHES]
    times: dict[tuple[Mode, int], list[float]] = {cell: [] for cell in cells}
    ends = time.monotonic() + seconds
    at = 0
    while time.monotonic() < ends:
        for mode, batch in cells:
            at = (at + batch) % (len(texts) - batch)
            times[mode, batch].append(_once(base, texts[at : at + batch], embeddings[at : at + batch], mode))
    median: Callable[[list[float]], float] = statistics.median
    return {mode: {f"batch_{b}": round(median(times[mode, b]), 3) for b in BATCHES} for mode in MODES}


def _once(
    base: KnowledgeBase, texts: Sequence[str], embeddings: npt.NDArray[np.float32], mode: Mode
) -> float:
    started = time.thread_time()
    base.searcher.search_batch(texts, embeddings, Audience.PUBLIC, TOP, mode, at_ms=0)
    return (time.thread_time() - started) * 1000 / len(texts)


if __name__ == "__main__":
    sys.exit(main())
