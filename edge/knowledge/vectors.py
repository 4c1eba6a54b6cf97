"""Vectors of all documents, made anew by another encoder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from sqlite_utils import Database

from edge.knowledge import chunking, rows
from edge.knowledge.sources import EMBED_CHUNKS
from edge.store.store import Store


class TextEmbedder(Protocol):
    """What this package asks of the encoder: texts to L2-normalised float32 [texts, dim]. Blocking, thread-safe."""

    @property
    def dim(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]: ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """How far the embedding of all documents is: passages done, and all."""

    done: int
    of: int


Vectors = dict[int, npt.NDArray[np.float16]]
"""By chunk id, [dim] each."""
Tell = Callable[[Embedded], None]
Wanted = Callable[[], bool]


def silent(_: Embedded) -> None:
    """Tell nobody."""


def always() -> bool:
    """To the end."""
    return True


async def embed_missing(
    store: Store, embedder: TextEmbedder, made: Vectors, tell: Tell = silent, wanted: Wanted = always
) -> None:
    """Add the vectors of all passages that `made` lacks. Slow; `tell` is called before each group.

    Ends early, between two groups, once they are not `wanted` any more.
    """
    groups = await store.read(lambda db: list(rows.all_chunks(db, EMBED_CHUNKS)))
    new = [[chunk for chunk in chunks if chunk.chunk_id not in made] for chunks, _ in groups]
    of, before = sum(map(len, new)), len(made)
    for chunks in filter(None, new):
        if not wanted():
            return
        tell(Embedded(len(made) - before, of))
        texts = [chunking.embedding_text(c.document.title, c.section, c.text) for c in chunks]
        vectors = (await asyncio.to_thread(embedder.embed, texts)).astype(rows.STORED)
        made.update(zip((chunk.chunk_id for chunk in chunks), vectors, strict=True))


def keep(db: Database, *, made: Vectors, encoder: str) -> None:
    """Store them, and whose they are. Those of the encoder before stay for the way back to it."""
    rows.put_vectors_aside(db, encoder)
    rows.set_vectors(db, made)
    rows.set_encoder(db, encoder)
