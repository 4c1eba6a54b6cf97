"""Chunks of a stream: what they say, and what is no chunk."""

from __future__ import annotations

import json

import pytest

from core.completions.stream import TOKENS_MAX, Chunk, Malformed, Usage, chunk_of, request_body

HEAD = '{"choices":[{"delta":{"content":"a"},"finish_reason":null}]'


@pytest.mark.parametrize(
    ("data", "chunk"),
    [
        (HEAD + "}", Chunk("a")),
        (HEAD + ',"usage":null}', Chunk("a")),
        (HEAD + ',"usage":{"prompt_tokens":3,"completion_tokens":1}}', Chunk("a", usage=Usage(3, 1))),
        ('{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}', Chunk(usage=Usage(0, 0))),
        (f'{{"choices":[],"usage":{{"prompt_tokens":{TOKENS_MAX},"completion_tokens":1}}}}',
         Chunk(usage=Usage(TOKENS_MAX, 1))),
        (f'{{"choices":[],"usage":{{"prompt_tokens":{TOKENS_MAX + 1},"completion_tokens":1}}}}', Chunk()),
        ('{"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":1}}', Chunk()),
        ('{"choices":[],"usage":{"prompt_tokens":1.5,"completion_tokens":1}}', Chunk()),
        ('{"choices":[],"usage":{"prompt_tokens":true,"completion_tokens":1}}', Chunk()),
        ('{"choices":[],"usage":[1,2]}', Chunk()),
        ('{"choices":[{"delta":{},"finish_reason":"length"}]}', Chunk(finish="length")),
    ],
)  # fmt: skip
def test_what_a_chunk_says(data: str, chunk: Chunk) -> None:
    assert chunk_of(data.encode()) == chunk


@pytest.mark.parametrize(
    "data", ["[]", "{}", '{"error":{}}', '{"choices":3}', "{", '{"choices":[{"delta":3}]}']
)
def test_what_is_no_chunk(data: str) -> None:
    with pytest.raises(Malformed):
        chunk_of(data.encode())


def test_tokens_are_counted_only_where_somebody_asks() -> None:
    plain, counted = (
        json.loads(request_body("m", [("user", "é")], 5, counted=counted)) for counted in (False, True)
    )
    assert "stream_options" not in plain
    assert counted.pop("stream_options") == {"include_usage": True}
    assert plain == counted
