"""The language model for programs: when it serves, what is looked at first, and that the desk comes first."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge.chat.raw_text import RawText
from edge.config import AnswerSection
from edge.inference.embedding import Embedded
from edge.inference.worker_client import Ended, WorkerBusy

MESSAGES = [("user", "Hello")]


class Worker:
    """Says what it was asked for."""

    model: str | None = None
    first_text_s = 0.0

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.closed = 0

    async def generate(self, messages: Sequence[tuple[str, str]], **asked: Any) -> AsyncGenerator[str, None]:
        self.asked = {"messages": messages, **asked}
        try:
            yield "one "
            yield "two"
            asked["on_end"](Ended("stop", 3, 2))
        finally:
            self.closed += 1


class Safety:
    """Finds a card in a word, another in a vector."""

    def check(self, text: str, locale: str) -> str | None:
        return "by words" if "danger" in text else None

    def check_meaning(self, text: str, embedding: Any, _encoder: str) -> str | None:
        return "by meaning" if embedding[0] else None


class Embedder:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def embed(self, texts: Sequence[str], *, deadline_s: float | None = None) -> Any:
        self.texts += texts
        return [Embedded(np.array(["meant" in text], np.float32), 1, truncated=False) for text in texts]


class Rig:
    def __init__(self, model: str | None = "small") -> None:
        self.worker, self.embedder = Worker(), Embedder()
        self.desk = SimpleNamespace(answer_mode="generative", safety=Safety())
        self.settings = AnswerSection()
        self.raw = RawText(self.desk, self.worker, self.embedder, self.settings, model)  # type: ignore[arg-type]
        self.ends: list[Ended] = []

    def write(self, tokens_max: int | None = None, stops: tuple[str, ...] = ()) -> AsyncGenerator[str, None]:
        return self.raw.write(MESSAGES, tokens_max=tokens_max, stops=stops, on_end=self.ends.append)


def test_it_serves_where_the_site_answers_in_its_words() -> None:
    rig = Rig()
    assert rig.raw.model == "small"
    rig.worker.model = "larger"
    assert rig.raw.model == "larger"
    rig.desk.answer_mode = "extractive"
    assert rig.raw.model is None
    assert Rig(None).raw.model is None


async def test_words_then_meaning_are_looked_at() -> None:
    rig = Rig()
    assert await rig.raw.card("danger", "en") == "by words"
    assert rig.embedder.texts == []
    assert await rig.raw.card("meant", "en") == "by meaning"
    assert await rig.raw.card("harmless", "en") is None


async def test_what_the_worker_is_asked() -> None:
    rig = Rig()
    assert [piece async for piece in rig.write(7, ("x",))] == ["one ", "two"]
    asked = rig.worker.asked
    assert (asked["messages"], asked["max_new_tokens"], asked["stops"]) == (MESSAGES, 7, ("x",))
    assert asked["deadline_s"] == rig.settings.generate_deadline_s
    assert rig.ends == [Ended("stop", 3, 2)]
    assert [piece async for piece in rig.write()]
    assert rig.worker.asked["max_new_tokens"] == rig.settings.max_new_tokens


async def test_one_at_a_time_and_only_where_the_desk_would_not_wait() -> None:
    rig = Rig()
    async with aclosing(rig.write()) as first:
        await anext(first)
        with pytest.raises(WorkerBusy) as busy:
            await anext(rig.write())
        assert busy.value.retry_after_s == 1
    assert rig.worker.closed == 1
    rig.worker.first_text_s = rig.settings.first_token_deadline_s
    async with aclosing(rig.write()) as second:
        await anext(second)
    rig.worker.first_text_s += 0.5
    with pytest.raises(WorkerBusy) as busy:
        await anext(rig.write())
    assert busy.value.retry_after_s == rig.worker.first_text_s
