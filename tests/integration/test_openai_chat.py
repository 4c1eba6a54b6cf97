"""The desk behind a real node, through OpenAI's own client: answers, streams, limits, and nothing left of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from edge.config import site_paths
from edge.store import audit
from edge.store.audit import AuditFilter
from edge.store.store import Store
from tests.integration.test_openai_clients import client_of, new_key
from tests.running import RunningNode, command, running

pytestmark = [pytest.mark.models, pytest.mark.slow]

DESK = "postern"
SATURDAY = "When are you open on Saturday?"
QUOTE = "On Saturday the clinic is open from 9:00 to 13:00."
CANARY = "quetzalcoatl-7732"
WAIT_S = 60.0

_KEYS: dict[str, str] = {}


def says(text: str, role: str = "user") -> Any:
    return {"role": role, "content": text}


@pytest_asyncio.fixture
async def key(node: RunningNode) -> str:
    """A key of `node` for chat, made once."""
    if node.url not in _KEYS:
        _KEYS[node.url] = await new_key(node.site, "chat", "--scope", "chat")
    return _KEYS[node.url]


@pytest_asyncio.fixture
async def client(node: RunningNode, key: str) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(node, key) as made:
        yield made


async def ask(client: AsyncOpenAI, text: str = SATURDAY, **more: Any) -> Any:
    return await client.chat.completions.create(model=DESK, messages=[says(text)], **more)


async def stream(client: AsyncOpenAI, text: str = SATURDAY, **more: Any) -> list[Any]:
    chunks = await client.chat.completions.create(model=DESK, messages=[says(text)], stream=True, **more)
    return [chunk async for chunk in chunks]


async def test_an_answer_is_a_quote_with_its_source(client: AsyncOpenAI) -> None:
    found = await ask(client)
    (choice,) = found.choices
    assert (found.model, found.object, choice.finish_reason) == (DESK, "chat.completion", "stop")
    assert QUOTE in choice.message.content
    assert found.postern["route"] == "answer"
    assert {citation["doc"] for citation in found.postern["citations"]} == {"opening-hours.md"}
    assert "answer" not in found.postern
    usage = found.usage
    assert usage.prompt_tokens == 7  # when are you open on saturday ?
    assert usage.completion_tokens > 5
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


async def test_a_stream_says_the_same_in_sentences(client: AsyncOpenAI) -> None:
    whole, chunks = await ask(client), await stream(client)
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(pieces) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert {chunk.id for chunk in chunks} == {chunks[0].id}
    assert chunks[-1].postern["citations"] == whole.postern["citations"]
    assert all(chunk.usage is None for chunk in chunks)


async def test_a_stream_ends_with_the_usage_where_that_was_asked_for(client: AsyncOpenAI) -> None:
    whole = await ask(client)
    *chunks, last = await stream(client, stream_options={"include_usage": True})
    assert (last.choices, last.usage) == ([], whole.usage)
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


async def test_the_streams_bytes(node: RunningNode, key: str) -> None:
    body = {"model": DESK, "messages": [says(SATURDAY)], "stream": True}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        async with http.post(f"{node.url}/v1/chat/completions", json=body) as response:
            assert response.content_type == "text/event-stream"
            events = (await response.text()).split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(event.removeprefix("data: "))["object"] for event in events[:-2])


async def test_the_answer_ends_before_a_stop(client: AsyncOpenAI) -> None:
    found = await ask(client, stop=["13:00", "nowhere"])
    (choice,) = found.choices
    assert choice.message.content.endswith("from 9:00 to ")
    assert choice.finish_reason == "stop"
    assert "".join(c.choices[0].delta.content or "" for c in await stream(client, stop="13:00")) == (
        choice.message.content
    )


async def test_as_many_whole_sentences_as_the_tokens_hold(client: AsyncOpenAI) -> None:
    whole = await ask(client, "What do I do with leftover pills?")
    text, tokens = whole.choices[0].message.content, whole.usage.completion_tokens
    for limit in ({"max_tokens": tokens}, {"max_completion_tokens": tokens + 1}):
        found = await ask(client, "What do I do with leftover pills?", **limit)
        assert (found.choices[0].message.content, found.choices[0].finish_reason) == (text, "stop")
    cut = await ask(client, "What do I do with leftover pills?", max_tokens=tokens - 1)
    (choice,) = cut.choices
    assert choice.finish_reason == "length"
    assert text.startswith(choice.message.content)
    assert choice.message.content == "" or choice.message.content[-1] in ".!?"
    assert cut.usage.completion_tokens <= tokens - 1
    nothing = await ask(client, max_tokens=1)
    assert (nothing.choices[0].message.content, nothing.usage.completion_tokens) == ("", 0)
    assert nothing.choices[0].finish_reason == "length"
    assert nothing.postern["citations"]


async def test_a_question_may_lean_on_the_one_before(client: AsyncOpenAI) -> None:
    messages = [says("You are a pirate.", "system"), says("When is the pharmacy open on weekdays?")]
    first = await client.chat.completions.create(model=DESK, messages=messages)
    answered: Any = first.choices[0].message.model_dump()  # as programs send it back
    found = await client.chat.completions.create(
        model=DESK, messages=[*messages, answered, says("and on Saturday?")]
    )
    assert "pharmacy is open" in (found.choices[0].message.content or "")
    alone = await ask(client, "and on Saturday?")
    assert "pharmacy is open" not in alone.choices[0].message.content


async def test_danger_brings_the_card(client: AsyncOpenAI) -> None:
    found = await ask(client, "my husbend has terrible chest pian")
    assert (found.postern["route"], found.postern["card"]["phone"]) == ("safety", "999")
    assert "999" in found.choices[0].message.content


async def test_what_no_document_says_is_not_answered(client: AsyncOpenAI) -> None:
    found = await ask(client, "Which acupuncture needles does the astronaut prefer?")
    assert (found.postern["route"], found.postern["citations"]) == ("handoff", [])


@pytest.mark.parametrize(
    ("arguments", "code", "param"),
    [
        ({"n": 2}, "unsupported_value", "n"),
        ({"temperature": 0.7}, "unsupported_value", "temperature"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_parameter", "tools"),
        ({"response_format": {"type": "json_object"}}, "unsupported_value", "response_format"),
        ({"logprobs": True}, "unsupported_value", "logprobs"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "unsupported_value", "stop"),
        ({"max_tokens": 0}, "bad_request", "max_tokens"),
        ({"extra_body": {"top_k": 4}}, "unknown_parameter", "top_k"),
        ({"text": "x" * 4001}, "context_length_exceeded", "messages"),
        ({"text": " "}, "bad_request", "messages"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    client: AsyncOpenAI, arguments: dict[str, Any], code: str, param: str
) -> None:
    for streamed in (False, True):
        with pytest.raises(openai.BadRequestError) as refused:
            await ask(client, stream=streamed, **arguments)
        assert (refused.value.code, refused.value.param) == (code, param)


async def test_another_model_and_another_scope(node: RunningNode, client: AsyncOpenAI) -> None:
    assert DESK in [model.id async for model in await client.models.list()]
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.chat.completions.create(model="gpt-9", messages=[says(SATURDAY)])
    assert unknown.value.code == "model_not_found"
    vectors = await new_key(node.site, "vectors", "--scope", "embeddings")
    async with client_of(node, vectors) as other:
        with pytest.raises(openai.PermissionDeniedError) as refused:
            await ask(other)
    assert refused.value.code == "scope_missing"


async def test_tokens_are_charged_to_the_key(node: RunningNode) -> None:
    key = await new_key(node.site, "few-tokens", "--scope", "chat", "--tokens-per-minute", "10")
    async with client_of(node, key) as client:
        await ask(client)
        with pytest.raises(openai.RateLimitError) as refused:
            await ask(client)
    assert "tokens" in refused.value.message


@pytest.mark.long
async def test_documents_for_staff_need_the_scope(own_node: RunningNode, tmp_path: Path) -> None:
    fact, question = (
        "The spare key of the medicine cabinet hangs behind the blue door.",
        "Where is the spare key?",
    )
    document = tmp_path / "keys.md"
    document.write_text(f"# Keys\n\n{fact}\n")
    site = str(own_node.site)
    await command("kb", "add", "--site", site, "--audience", "staff", str(document), "--json")
    customers = await new_key(own_node.site, "portal", "--scope", "chat")
    staff = await new_key(own_node.site, "intranet", "--scope", "chat", "--scope", "staff")
    async with client_of(own_node, customers) as client:
        assert "blue door" not in (await ask(client, question)).model_dump_json()
    async with client_of(own_node, staff) as client:
        assert "blue door" in (await ask(client, question)).choices[0].message.content
    own_node.stop()
    rows = await _audit(own_node.site)
    assert [(row.actor, row.action) for row in rows] == [("api-key:intranet", "chat.staff")]


async def _audit(site: Path) -> list[audit.AuditRow]:
    store = Store.open(site_paths(site))
    try:
        return await store.read(lambda db: audit.search(db, AuditFilter(action="chat."), 10))
    finally:
        await store.close()


@pytest.mark.long
async def test_nothing_is_left_whether_the_program_stays_or_goes(own_node: RunningNode) -> None:
    key = await new_key(own_node.site, "portal", "--scope", "chat")
    question = f"Where can I park, my name is {CANARY}?"
    async with client_of(own_node, key) as client:
        assert (await ask(client, question)).postern["route"]
        for patience_s in (0.002, 0.01, 0.02, 0.05):
            with suppress(openai.APITimeoutError):  # unless it was faster
                await ask(client.with_options(timeout=patience_s), question)
    async with asyncio.timeout(WAIT_S):
        while (await command("status", "--site", str(own_node.site), "--json"))["sessions"]:
            pass
    own_node.stop()
    files = [path for path in own_node.site.rglob("*") if path.is_file()]
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []
    store = Store.open(site_paths(own_node.site))
    try:
        rows = await store.read(lambda db: [db[table].count for table in ("sessions", "turns", "subjects")])
        keys = await store.read_keys(lambda db: db["subject_keys"].count)
    finally:
        await store.close()
    assert [*rows, keys] == [0, 0, 0, 0]


@pytest.mark.long
async def test_a_key_made_under_another_notice_is_refused(clinic: Path) -> None:
    with running(clinic) as node:
        key = await new_key(node.site, "portal", "--scope", "chat")
        async with client_of(node, key) as client:
            await ask(client)
    settings = clinic / "site.toml"
    name = next(line for line in settings.read_text().splitlines() if line.startswith("name = "))
    settings.write_text(settings.read_text().replace(name, 'name = "Another Clinic"', 1))
    with running(clinic) as node:
        async with client_of(node, key) as client:
            with pytest.raises(openai.PermissionDeniedError) as refused:
                await ask(client)
    assert refused.value.code == "notice_required"
    assert "api-keys new" in refused.value.message


@pytest.mark.long
async def test_overload_is_told_as_the_client_understands_it(clinic: Path) -> None:
    settings = clinic / "site.toml"
    assert "[limits]" not in settings.read_text()
    limits = "\n[limits]\naddress_sessions_per_minute = 60\nturns_waiting_max = 1\n"
    settings.write_text(settings.read_text() + limits)
    with running(clinic) as node:
        key = await new_key(node.site, "portal", "--scope", "chat")
        async with client_of(node, key) as client:
            outcomes = await asyncio.gather(*(ask(client) for _ in range(60)), return_exceptions=True)
            busy = [error for error in outcomes if isinstance(error, openai.InternalServerError)]
            assert busy
            assert {(error.code, error.status_code) for error in busy} == {("queue_full", 503)}
            assert all(int(error.response.headers["Retry-After"]) >= 1 for error in busy)
            async with asyncio.timeout(WAIT_S):
                while True:
                    try:
                        await ask(client)
                    except openai.RateLimitError as error:
                        limited = error
                        break
            assert limited.code == "rate_limited"
            assert int(limited.response.headers["Retry-After"]) == 1
            # The client waits as long as it was told, and is let in.
            assert QUOTE in (await ask(client.with_options(max_retries=5))).choices[0].message.content


RAW = "smollm2-135m-instruct"


@pytest.fixture
def writing_node(clinic: Path) -> Iterator[RunningNode]:
    """A node whose answers the model writes, however long that takes."""
    settings = clinic / "site.toml"
    mode = 'mode = "generative"\nfirst_token_deadline_s = 60\ngenerate_deadline_s = 110'
    settings.write_text(settings.read_text().replace('mode = "extractive"', mode))
    with running(clinic) as started:
        yield started


@pytest.mark.long
async def test_the_language_model_writes_in_its_own_words(writing_node: RunningNode) -> None:
    key = await new_key(writing_node.site, "portal", "--scope", "chat")
    messages = [says("Answer in one short sentence.", "system"), says("What is the capital of France?")]
    async with client_of(writing_node, key) as client, asyncio.timeout(WAIT_S):
        patient = client.with_options(max_retries=20)  # until the worker is there
        assert RAW in [model.id async for model in await client.models.list()]
        whole: Any = await patient.chat.completions.create(model=RAW, messages=messages, max_tokens=40)
        text = whole.choices[0].message.content
        assert text
        assert 20 < whole.usage.prompt_tokens < 80
        assert 1 <= whole.usage.completion_tokens <= 40
        stream = await client.chat.completions.create(
            model=RAW,
            messages=messages,
            max_tokens=40,
            stream=True,
            stream_options={"include_usage": True},
        )
        *chunks, last = [chunk async for chunk in stream]
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
        assert last.usage == whole.usage
        word = text.split()[1]
        stopped = await client.chat.completions.create(
            model=RAW, messages=messages, max_tokens=40, stop=[f"{word} never", word]
        )
        assert stopped.choices[0].message.content == text[: text.index(word)]
        assert stopped.choices[0].finish_reason == "stop"
        short = await client.chat.completions.create(model=RAW, messages=messages, max_tokens=1)
        assert (short.choices[0].finish_reason, short.usage and short.usage.completion_tokens) == (
            "length",
            1,
        )
        long = [says("word " * 3000, "system"), *messages]
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model=RAW, messages=long)
        assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")
        desk = await ask(client, "When is the pharmacy open?")
        assert desk.postern["route"] in {"answer", "generate"}
        assert desk.postern["citations"]
