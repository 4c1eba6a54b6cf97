"""The API for programs behind a real node, through OpenAI's own client."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from edge.web.program_requests import INPUTS_MAX, PROGRAM_BODY_BYTES_MAX, TEXT_CHARS_MAX
from tests.running import RunningNode, command

pytestmark = [pytest.mark.models, pytest.mark.slow]

MODEL = "all-minilm-l6-v2"


async def new_key(site: Path, name: str, *more: str) -> str:
    """A key of the running node."""
    made = await command("api-keys", "new", name, "--site", str(site), *more, "--json")
    return str(made["key"])


def client_of(node: RunningNode, key: str) -> AsyncOpenAI:
    return AsyncOpenAI(api_key=key, base_url=f"{node.url}/v1", max_retries=0)


_KEYS: dict[str, str] = {}


@pytest_asyncio.fixture
async def key(node: RunningNode) -> str:
    """A key of `node` with every scope but staff, made once."""
    if node.url not in _KEYS:
        scopes = ("--scope", "embeddings", "--scope", "chat", "--scope", "inference")
        _KEYS[node.url] = await new_key(node.site, "tests", *scopes)
    return _KEYS[node.url]


@pytest_asyncio.fixture
async def client(node: RunningNode, key: str) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(node, key) as made:
        yield made


@pytest.mark.long
async def test_vectors_of_one_text_and_of_several(client: AsyncOpenAI) -> None:
    one = await client.embeddings.create(model=MODEL, input="When are you open?")
    several = await client.embeddings.create(
        model=MODEL,
        input=["When are you open?", "Where may I park?"],
        encoding_format="float",
        dimensions=384,
    )
    assert [item.index for item in several.data] == [0, 1]
    first, second = (np.array(item.embedding) for item in several.data)
    assert one.model == MODEL
    assert first.shape == (384,)
    assert np.linalg.norm(second) == pytest.approx(1.0, abs=1e-5)
    # The client asks for base64 by itself and decodes it.
    assert np.dot(np.array(one.data[0].embedding), first) > 0.98
    assert one.usage.prompt_tokens == one.usage.total_tokens == 7
    assert several.usage.total_tokens > 7


async def test_base64_is_little_endian_float32(node: RunningNode, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as http:
        body = {"model": MODEL, "input": "Where may I park?"}
        async with http.post(f"{node.url}/v1/embeddings", json=body) as response:
            floats = (await response.json())["data"][0]["embedding"]
        body["encoding_format"] = "base64"
        async with http.post(f"{node.url}/v1/embeddings", json=body) as response:
            packed = (await response.json())["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4") == pytest.approx(floats)


@pytest.mark.parametrize(
    ("arguments", "code", "param"),
    [
        ({"input": [1, 2, 3]}, "unsupported_value", "input"),
        ({"input": [[1, 2], [3]]}, "unsupported_value", "input"),
        ({"input": "x", "dimensions": 256}, "unsupported_value", "dimensions"),
        ({"input": ""}, "bad_request", "input"),
        ({"input": ["x", ""]}, "bad_request", "input"),
        ({"input": []}, "bad_request", "input"),
        ({"input": "word " * 600}, "context_length_exceeded", "input"),
        ({"input": "x" * (TEXT_CHARS_MAX + 1)}, "context_length_exceeded", "input"),
        ({"input": ["x"] * (INPUTS_MAX + 1)}, "too_many_inputs", "input"),
        ({"input": ["word " * 300] * 200}, "too_many_inputs", "input"),
        ({"input": "x", "encoding_format": "int8"}, "bad_request", "encoding_format"),
        ({"input": "x", "extra_body": {"truncate": True}}, "unknown_parameter", "truncate"),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    client: AsyncOpenAI, arguments: dict[str, object], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.embeddings.create(model=MODEL, **arguments)  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.param) == (code, param)


async def test_as_many_texts_as_are_taken_at_once(client: AsyncOpenAI) -> None:
    found = await client.embeddings.create(model=MODEL, input=["x"] * INPUTS_MAX)
    assert len(found.data) == INPUTS_MAX


async def test_models_by_name(client: AsyncOpenAI) -> None:
    names = [model.id async for model in await client.models.list()]
    assert MODEL in names
    assert (await client.models.retrieve(MODEL)).owned_by == "postern"
    with pytest.raises(openai.NotFoundError) as unknown:
        await client.models.retrieve("gpt-9")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        await client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(openai.NotFoundError):
        await client.images.generate(model="x", prompt="x")


async def test_a_body_at_and_over_the_limit(node: RunningNode, client: AsyncOpenAI, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as http:
        for size, status in ((PROGRAM_BODY_BYTES_MAX, 400), (PROGRAM_BODY_BYTES_MAX + 1, 413)):
            async with http.post(f"{node.url}/v1/embeddings", data=b" " * size) as response:
                assert response.status == status
                assert (await response.json())["error"]["code"] != ""


async def test_a_key_opens_what_it_is_for_until_it_is_revoked(node: RunningNode) -> None:
    chat_only = await new_key(node.site, "chat-only", "--scope", "chat")
    async with client_of(node, chat_only) as client:
        await client.models.list()
        with pytest.raises(openai.PermissionDeniedError) as refused:
            await client.embeddings.create(model=MODEL, input="x")
        assert refused.value.code == "scope_missing"
        await command("api-keys", "revoke", "chat-only", "--site", str(node.site))
        with pytest.raises(openai.AuthenticationError) as unknown:
            await client.models.list()
        assert unknown.value.code == "invalid_api_key"


async def test_a_keys_limits(node: RunningNode) -> None:
    limits = ("--requests-per-minute", "2", "--tokens-per-minute", "1000")
    key = await new_key(node.site, "slow", "--scope", "embeddings", *limits)
    async with client_of(node, key) as client:
        for _ in range(2):
            await client.embeddings.create(model=MODEL, input="x")
        with pytest.raises(openai.RateLimitError) as refused:
            await client.embeddings.create(model=MODEL, input="x")
    assert refused.value.code == "rate_limited"
    assert 1 <= int(refused.value.response.headers["Retry-After"]) <= 30
