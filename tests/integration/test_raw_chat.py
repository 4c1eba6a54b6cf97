"""The language model's route before a scripted worker: chunks as they come, errors before and after the first word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openai
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer
from openai import AsyncOpenAI

from core.errors import PosternError
from edge.chat.notice import notice_of
from edge.chat.raw_text import RawText
from edge.chat.safety.check import SafetyCheck
from edge.chat.single_turn import ProgramTurns
from edge.config import AnswerSection, SafetySection, SiteSection, site_paths
from edge.inference.worker import NEW_TOKENS_MAX
from edge.inference.worker_client import Ended, GenerationFailed, WorkerBusy, WorkerDied
from edge.store.allowance import Allowance
from edge.store.api_keys import Scope
from edge.store.store import Store
from edge.web.key_ring import KeyRing
from edge.web.openai_chat import OpenAiChat
from edge.web.raw_chat import PROMPT_CHARS_MAX
from edge.web.server import customer_application

MODEL = "small"
WAIT_S = 30.0
NOTICE = notice_of("Clinic")
SAYS: Any = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello there"}]


class Worker:
    """Says words until it is told otherwise, or fails."""

    model: str | None = None
    first_text_s = 0.0

    def __init__(self) -> None:
        self.words: Sequence[str] = ("One. ", "Two.")
        self.ends = Ended("stop", 5, 2)
        self.before: PosternError | None = None
        self.after: PosternError | None = None
        self.hang = False
        self.asked: dict[str, Any] = {}
        self.closed = asyncio.Event()

    async def generate(
        self, messages: Sequence[tuple[str, str]], *, on_end: Callable[[Ended], None], **asked: Any
    ) -> AsyncGenerator[str, None]:
        self.asked = {"messages": messages, **asked}
        try:
            if self.before:
                raise self.before
            for word in self.words:
                yield word
            if self.hang:
                await asyncio.Event().wait()
            if self.after:
                raise self.after
            on_end(self.ends)
        finally:
            self.closed.set()


async def _embed(texts: Sequence[str], **_: object) -> list[Any]:
    return [SimpleNamespace(vector=np.zeros(4, np.float32), encoder="another") for _ in texts]


class Rig:
    """A server with one key."""

    def __init__(self, store: Store, keys: KeyRing) -> None:
        safety = SafetyCheck(SiteSection(id="clinic", name="Clinic"), SafetySection())
        self.desk = SimpleNamespace(answer_mode="generative", safety=safety)
        self.worker = Worker()
        embedder = SimpleNamespace(embed=_embed)
        raw = RawText(self.desk, self.worker, embedder, AnswerSection(), MODEL)  # type: ignore[arg-type]
        turns = ProgramTurns(store, None, NOTICE)  # type: ignore[arg-type]
        chat = OpenAiChat(keys, turns, raw, lambda texts: [2 + len(text.split()) for text in texts], 100)
        self.server = TestServer(customer_application(chat.routes(), None))
        self.client = AsyncOpenAI(api_key="none", base_url="http://127.0.0.1:1", max_retries=0)

    async def ask(self, messages: Any = SAYS, **more: Any) -> Any:
        return await self.client.chat.completions.create(model=MODEL, messages=messages, **more)

    async def stream(self, **more: Any) -> list[Any]:
        return [chunk async for chunk in await self.ask(stream=True, **more)]


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    store = Store.open(site_paths(tmp_path))
    keys = KeyRing(store)
    allowance = Allowance(1000, 100_000, 4)
    _, secret = await keys.new("ada", "portal", {Scope.CHAT}, allowance, NOTICE.version)
    made = Rig(store, keys)
    try:
        async with made.server:
            url = str(made.server.make_url("/v1"))
            async with AsyncOpenAI(api_key=secret, base_url=url, max_retries=0) as made.client:
                yield made
    finally:
        await store.close()


async def test_a_whole_answer_with_the_models_own_count(rig: Rig) -> None:
    found = await rig.ask(stop="x", max_tokens=7)
    (choice,) = found.choices
    assert (found.model, choice.message.content, choice.finish_reason) == (MODEL, "One. Two.", "stop")
    assert (found.usage.prompt_tokens, found.usage.completion_tokens, found.usage.total_tokens) == (5, 2, 7)
    asked = rig.worker.asked
    assert asked["messages"] == [("system", "Be brief."), ("user", "Hello there")]
    assert (asked["stops"], asked["max_new_tokens"]) == (("x",), 7)


async def test_more_tokens_than_the_worker_writes_are_as_many_as_it_does(rig: Rig) -> None:
    for wanted, asked in ((1, 1), (NEW_TOKENS_MAX, NEW_TOKENS_MAX), (NEW_TOKENS_MAX + 1, NEW_TOKENS_MAX)):
        await rig.ask(max_tokens=wanted)
        assert rig.worker.asked["max_new_tokens"] == asked


async def test_messages_at_and_over_what_the_worker_is_given(rig: Rig) -> None:
    question: Any = {"role": "user", "content": "Hello there"}
    fill = PROMPT_CHARS_MAX - len(question["content"])
    await rig.ask([{"role": "system", "content": "x" * fill}, question])
    with pytest.raises(openai.BadRequestError) as refused:
        await rig.ask([{"role": "system", "content": "x" * (fill + 1)}, question])
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")


async def test_chunks_as_they_come(rig: Rig) -> None:
    rig.worker.ends = Ended("length", 5, 2)
    *chunks, usage = await rig.stream(stream_options={"include_usage": True})
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "One. ", "Two.", None]
    assert chunks[-1].choices[0].finish_reason == "length"
    assert (usage.choices, usage.usage.total_tokens) == ([], 7)


async def test_an_empty_answer(rig: Rig) -> None:
    rig.worker.words = ()
    assert (await rig.ask()).choices[0].message.content == ""
    assert [chunk.choices[0].finish_reason for chunk in await rig.stream()] == [None, "stop"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (WorkerBusy("full", 2.2), 503, "worker_busy", "3"),
        (WorkerDied(), 503, "worker_died", "1"),
        (GenerationFailed("prompt_too_long", "Too long."), 400, "context_length_exceeded", None),
        (GenerationFailed("runtime_unavailable", "Broken."), 502, "generation_failed", None),
    ],
)
async def test_an_error_before_the_first_word_has_its_status(
    rig: Rig, stream: bool, error: PosternError, status: int, code: str, retry_after: str | None
) -> None:
    rig.worker.before = error
    with pytest.raises(openai.APIStatusError) as refused:
        await rig.ask(stream=stream)
    assert (refused.value.status_code, refused.value.code) == (status, code)
    assert refused.value.response.headers.get("Retry-After") == retry_after


async def test_an_answer_that_breaks_off_is_an_error_in_either_form(rig: Rig) -> None:
    rig.worker.after = WorkerDied()
    with pytest.raises(openai.APIStatusError) as whole:
        await rig.ask()
    assert whole.value.code == "worker_died"
    said = list[Any]()

    async def read() -> None:
        async for chunk in await rig.ask(stream=True):
            said.append(chunk.choices[0].delta.content)

    with pytest.raises(openai.APIError) as broken:
        await read()
    assert said == ["", "One. ", "Two."]
    assert broken.value.code == "worker_died"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_program_that_goes_stops_the_model(rig: Rig, stream: bool) -> None:
    rig.worker.hang = True

    async def read() -> None:
        found = await rig.ask(stream=stream)
        if stream:
            async for _ in found:
                pass

    reading = asyncio.create_task(read())
    async with asyncio.timeout(WAIT_S):
        while not rig.worker.asked:
            await asyncio.sleep(0.01)
        reading.cancel()
        await rig.worker.closed.wait()


async def test_a_card_in_the_models_place(rig: Rig) -> None:
    danger: Any = [{"role": "user", "content": "my husbend has terrible chest pian"}]
    found = await rig.ask(danger)
    assert (found.model, found.postern["route"], found.postern["card"]["kind"]) == (
        MODEL,
        "safety",
        "emergency",
    )
    assert found.choices[0].message.content.startswith(found.postern["card"]["title"])
    assert rig.worker.asked == {}


async def test_what_does_not_serve_is_not_found(rig: Rig) -> None:
    rig.desk.answer_mode = "extractive"
    with pytest.raises(openai.NotFoundError):
        await rig.ask()
