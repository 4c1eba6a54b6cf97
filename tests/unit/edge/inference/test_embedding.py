"""Vectors for programs: the cache before the line, bounded, keyed, and of no consequence for what comes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.inference.embedding import CACHED_MAX, Embeddings
from edge.inference.scheduler import QueueFull, Scheduler

DIM = 4


class Encoder:
    """A text's vector is its length; remembers what it was asked."""

    dim = DIM
    max_tokens = 8

    def __init__(self) -> None:
        self.info = SimpleNamespace(model="small", sha256="a" * 64, space="b" * 64)
        self.asked: list[str] = []

    def embed_here(self, texts: Sequence[str]) -> tuple[Any, list[int]]:
        self.asked += texts
        lengths = [len(text) for text in texts]
        return np.repeat(np.array(lengths, np.float32)[:, None], DIM, axis=1), lengths


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    made = Scheduler(1)
    yield made
    await made.close()


def embeddings(scheduler: Scheduler, encoder: Encoder, keep_s: float = 60.0) -> Embeddings:
    model: Any = encoder
    return Embeddings(scheduler, model, waiting_max=8, wait_s_max=60.0, keep_s=keep_s)


async def test_vectors_come_in_order_with_their_tokens(scheduler: Scheduler) -> None:
    found = await embeddings(scheduler, Encoder()).embed(["three", "a", "", "12345678", "123456789"])
    assert [one.vector[0] for one in found] == [5, 1, 0, 8, 9]
    assert [one.tokens for one in found] == [5, 1, 0, 8, 9]
    assert [one.truncated for one in found] == [False, False, False, False, True]
    assert await embeddings(scheduler, Encoder()).embed([]) == []


async def test_the_same_text_is_computed_once(scheduler: Scheduler) -> None:
    encoder = Encoder()
    cached = embeddings(scheduler, encoder)
    first = await cached.embed(["a", "bb", "a"])
    assert [one.vector[0] for one in first] == [1, 2, 1]
    assert (await cached.embed(["bb"]))[0] is first[1]
    assert sorted(encoder.asked) == ["a", "bb"]


async def test_without_a_cache_and_after_forgetting_it_is_computed_again(scheduler: Scheduler) -> None:
    encoder = Encoder()
    uncached = embeddings(scheduler, encoder, keep_s=0)
    await uncached.embed(["a"])
    uncached.forget()
    await uncached.embed(["a"])
    assert encoder.asked == ["a", "a"]
    cached = embeddings(scheduler, encoder)
    await cached.embed(["b"])
    cached.forget()
    await cached.embed(["b"])
    assert encoder.asked == ["a", "a", "b", "b"]


async def test_another_model_is_asked_again(scheduler: Scheduler) -> None:
    encoder = Encoder()
    cached = embeddings(scheduler, encoder)
    await cached.embed(["a"])
    encoder.info.sha256 = "b" * 64
    await cached.embed(["a"])
    assert encoder.asked == ["a", "a"]


async def test_what_is_kept_says_nothing_of_the_texts(scheduler: Scheduler) -> None:
    """Keys are hashes under a key of this process: the same text has another one elsewhere."""
    one, other = embeddings(scheduler, Encoder()), embeddings(scheduler, Encoder())
    await one.embed(["a secret"])
    await other.embed(["a secret"])
    assert one._kept is not None
    assert other._kept is not None
    assert not one._kept.keys() & other._kept.keys()
    assert "secret" not in repr(one._kept)
    assert one._kept.maxsize == CACHED_MAX


async def test_more_texts_than_may_wait_are_refused_whole(scheduler: Scheduler) -> None:
    encoder = Encoder()
    cached = embeddings(scheduler, encoder)
    assert len(await cached.embed([str(n) for n in range(8)])) == 8
    with pytest.raises(QueueFull):
        await cached.embed(["x" * n for n in range(2, 200)])
    assert cached.line.stats().waiting == 0


async def test_no_answer_holds_vectors_of_two_encoders(scheduler: Scheduler) -> None:
    """The encoder changes between two batches of one request: all of it is embedded again."""
    encoder = Encoder()
    asked = encoder.embed_here

    def changing(texts: Sequence[str]) -> tuple[Any, list[int]]:
        found = asked(texts)
        if encoder.info.space[0] == "b":
            encoder.info = SimpleNamespace(model="other", sha256="c" * 64, space="d" * 64)
            return found
        return found[0] + 100, found[1]

    encoder.embed_here = changing  # type: ignore[method-assign]
    found = await embeddings(scheduler, encoder).embed(["a", "bb"])
    assert [one.vector[0] for one in found] == [101.0, 102.0]
