"""A search as staff see it: each passage with its place in both legs, and, if asked, drafts beside what is approved.

Drafts are in indexes of their own, so that no turn can reach them; here both rankings are put together by score. A
draft's BM25 is that among drafts: its place tells how well its words fit, not how rare they are among all documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.knowledge.document import Audience, Passage, State
from edge.knowledge.search import LEG_DEPTH, Mode, Searcher


@dataclass(frozen=True, slots=True)
class Place:
    """Where a leg has a passage: its rank, from 1, and its score there (BM25, or cosine)."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A passage that was found. A leg is None where it is not among its first LEG_DEPTH."""

    passage: Passage
    state: State
    lexical: Place | None
    vector: Place | None


def find(
    searchers: Mapping[State, Searcher],
    text: str,
    embedding: npt.NDArray[np.float32],
    audience: Audience,
    k: int,
    mode: Mode,
    *,
    at_ms: int,
) -> list[Finding]:
    """The `k` best of all searchers, best first. `embedding` [dim]."""
    found: list[Finding] = []
    for state, searcher in searchers.items():
        passages = searcher.search(text, embedding, audience, k, mode, at_ms=at_ms)
        lexical = searcher.search(text, embedding, audience, LEG_DEPTH, "lexical", at_ms=at_ms)
        vector = searcher.search(text, embedding, audience, LEG_DEPTH, "vector", at_ms=at_ms)
        words = {p.chunk_id: Place(rank, p.lexical) for rank, p in enumerate(lexical, 1)}
        near = {p.chunk_id: Place(rank, p.cosine) for rank, p in enumerate(vector, 1)}
        found += [Finding(p, state, words.get(p.chunk_id), near.get(p.chunk_id)) for p in passages]
    return sorted(found, key=lambda finding: -finding.passage.score)[:k]
