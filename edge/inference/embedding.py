"""Vectors for whoever asks from outside: the scheduler's class API, with a cache of exact texts before it.

The cache is bounded in entries and in time, and keyed by a hash with a key of this process: neither a text nor anything
that could be compared with one is kept. What it holds is a pure function of text and model, the same for everybody;
nothing of an answer is in it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from cachetools import TTLCache

from edge.inference.scheduler import Line, Scheduler
from edge.inference.waiting import Rules, Work, about_tokens
from models.catalog import DEFAULT_ENCODER
from models.encoder import Encoder
from models.loaded import PASS_TOKENS_MAX
from models.runtimes.port import Floats

CACHED_MAX: Final = 4096
"""Vectors of 384 numbers: 6 MB. What repeats at a site (suggested questions, health checks) is far less."""

KEY_BYTES: Final = 32
DIGEST_BYTES: Final = 16

ROWS_MAX: Final = 64
"""Rows of a pass; the budget of tokens binds first, except for single words."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One text. `vector` float32 [dim], L2-normalised, by `encoder`; `tokens`: specials included, uncut."""

    vector: Floats
    tokens: int
    truncated: bool
    encoder: str = DEFAULT_ENCODER


class Embeddings:
    """Embeds texts of programs, each a request of its own in line. Use from one event loop."""

    def __init__(
        self, scheduler: Scheduler, encoder: Encoder, *, waiting_max: int, wait_s_max: float,
        keep_s: float, work: Work = Work.API, on_batch: Callable[[int, float], None] | None = None,
    ) -> None:  # fmt: skip
        """`keep_s`: how long a vector is kept for the same text; 0 turns the cache off."""
        self._encoder = encoder
        rules = Rules(ROWS_MAX, waiting_max, wait_s_max, tokens_max=PASS_TOKENS_MAX, lanes=scheduler.lanes)
        self.line: Line[str, Embedded] = scheduler.line(
            work, self._run, rules, tokens_of=self._tokens_of, on_batch=on_batch
        )
        self._key = secrets.token_bytes(KEY_BYTES)
        self._kept: TTLCache[bytes, Embedded] | None = TTLCache(CACHED_MAX, keep_s) if keep_s else None

    @property
    def model(self) -> str:
        """The encoder that serves."""
        return self._encoder.info.model

    @property
    def version(self) -> str:
        """… its version."""
        return self._encoder.info.version

    @property
    def dim(self) -> int:
        """… the length of its vectors."""
        return self._encoder.dim

    @property
    def max_tokens(self) -> int:
        """… and what it reads of a text."""
        return self._encoder.max_tokens

    async def embed(
        self, texts: Sequence[str], *, deadline_s: float | None = None, caller: str | None = None
    ) -> list[Embedded]:
        """In the order given. Raises QueueFull, or what the encoder raises; then none of them is answered."""
        while True:
            space = self._encoder.info.space
            found = await self._embed(texts, deadline_s, caller)
            if space == self._encoder.info.space:  # else some may be another encoder's than others
                return found
            self.forget()

    async def _embed(
        self, texts: Sequence[str], deadline_s: float | None, caller: str | None
    ) -> list[Embedded]:
        kept = self._kept
        if kept is None:
            return await self.line.submit_all(texts, deadline_s=deadline_s, caller=caller)
        keys = [self._digest(text) for text in texts]
        found = {key: one for key in keys if (one := kept.get(key)) is not None}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        new = await self.line.submit_all(missing.values(), deadline_s=deadline_s, caller=caller)
        for key, one in zip(missing, new, strict=True):
            found[key] = kept[key] = one
        return [found[key] for key in keys]

    def forget(self) -> None:
        """Empty the cache."""
        if self._kept is not None:
            self._kept.clear()

    def _run(self, texts: Sequence[str]) -> list[Embedded]:
        model = self.model
        vectors, tokens = self._encoder.embed_here(texts)
        # Copies: a slice that is kept would keep its whole batch.
        return [
            Embedded(vector.copy(), count, count > self.max_tokens, model)
            for vector, count in zip(vectors, tokens, strict=True)
        ]

    def _digest(self, text: str) -> bytes:
        digest = blake2b(self._encoder.info.sha256.encode(), key=self._key, digest_size=DIGEST_BYTES)
        digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.digest()

    def _tokens_of(self, text: str) -> int:
        return min(about_tokens(text), self.max_tokens)
