"""MedQuAD as a site's knowledge base: documents, vectors kept by content hash, a ready-made site folder.

Not a bench; `retrieval`, `chat` and others use it. Every answer is a document, its `focus` the title; the questions
are never indexed.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from edge.config import site_paths
from edge.knowledge.document import Block, Document
from edge.knowledge.ingest import KnowledgeBase, Progress
from edge.knowledge.metadata import MetadataChange
from edge.knowledge.outcome import AddReport
from edge.knowledge.sources import SourceDocument
from edge.store.store import Store
from tests.bench.harness import CACHE, data_file, progress

# Which questions are asked is fixed, so that runs compare.
QUESTIONS_SEED = 20_260_701
# New vectors are written to the cache this often, so that a stopped run loses little.
SAVE_EVERY_S = 60.0
KEY_BYTES = 16


class Encoding(Protocol):
    """An encoder, as far as the cache needs it."""

    dim: int

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True)
class Pair:
    """A question with the document that answers it."""

    question: str
    document: str


class CachedEmbedder:
    """An encoder whose vectors of chunks are kept in build/bench by the hash of model and text (as float16)."""

    def __init__(self, encoder: Encoding, sha256: str) -> None:
        self.dim = encoder.dim
        self.embedded = 0
        self._encoder = encoder
        self._path = CACHE / f"vectors-{sha256[:16]}.npz"
        self._rows: dict[bytes, npt.NDArray[np.float16]] = {}
        self._saved_at = time.monotonic()
        if self._path.exists():
            with np.load(self._path) as kept:
                keys, vectors = kept["keys"], kept["vectors"]
            self._rows = {bytes(key): vector for key, vector in zip(keys, vectors, strict=True)}

    def __len__(self) -> int:
        return len(self._rows)

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        keys = [hashlib.sha256(text.encode()).digest()[:KEY_BYTES] for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        if missing:
            vectors = self._encoder.embed(list(missing.values())).astype(np.float16)
            self._rows.update(zip(missing, vectors, strict=True))
            self.embedded += len(missing)
            if time.monotonic() - self._saved_at > SAVE_EVERY_S:
                self.save()
        return np.array([self._rows[key] for key in keys], np.float32).reshape(len(texts), self.dim)

    def save(self) -> None:
        """Write the cache in one step."""
        if not self._rows or not self.embedded:
            return
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial.npz")
        keys = np.array([np.frombuffer(key, np.uint8) for key in self._rows])
        np.savez(partial, keys=keys, vectors=np.array(list(self._rows.values())))
        partial.replace(self._path)
        self._saved_at = time.monotonic()


def documents() -> list[SourceDocument]:
    """All 16,407 answers. Raises BenchRefused when the data is missing."""
    return [_document(number, record) for number, record in enumerate(_records())]


def questions(count: int, seed: int = QUESTIONS_SEED) -> list[Pair]:
    """Fixed questions, each with its own answer's document."""
    records = list(enumerate(_records()))
    chosen = random.Random(seed).sample(records, min(count, len(records)))
    return [Pair(record["question"], _name(number)) for number, record in chosen]


def build_site(site: Path, on_progress: Callable[[str], None] = progress) -> AddReport:
    """Make or complete the store of the site in `site` (made by `postern init`, or a new folder) with MedQuAD in it.

    Vectors come from the cache: seconds when it is filled, else as long as the encoder takes. The site must not be
    running. Returns what was added.
    """
    return asyncio.run(_build_site(site, on_progress))


async def _build_site(site: Path, on_progress: Callable[[str], None]) -> AddReport:
    from models.catalog import models_dir
    from models.encoder import open_encoder

    encoder = open_encoder(models_dir())
    embedder = CachedEmbedder(encoder, encoder.info.sha256)
    store = Store.open(site_paths(site))
    try:
        base = await KnowledgeBase.open(store, embedder, encoder.info.space)
        return await base.add_documents(documents(), MetadataChange(), _every_thousand(on_progress))
    finally:
        embedder.save()
        await store.close()
        encoder.close()


def _every_thousand(on_progress: Callable[[str], None]) -> Callable[[Progress], None]:
    shown = 0

    def show(now: Progress) -> None:
        nonlocal shown
        if now.done // 1000 > shown or now.done == now.of:
            shown = now.done // 1000
            on_progress(f"{now.done:,} of {now.of:,} documents")

    return show


def _records() -> list[dict[str, str]]:
    lines = data_file("retrieval", "medquad_qa.jsonl").read_text(encoding="utf-8").splitlines()
    return [record for record in map(json.loads, lines) if (record["answer"] or "").strip()]


def _name(number: int) -> str:
    return f"medquad/{number:05}"


def _document(number: int, record: dict[str, str]) -> SourceDocument:
    document = Document(record["focus"] or "", (Block((), record["answer"]),), "text/plain")
    digest = hashlib.sha256(f"{document.title}\n{record['answer']}".encode()).digest()
    return SourceDocument(_name(number), document, digest)
