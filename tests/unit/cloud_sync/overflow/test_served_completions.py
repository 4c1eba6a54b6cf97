"""What a request of OpenAI's chat completions asks, where it is refused, and how an answer is written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloud_sync.overflow.served_completions import (
    BODY_BYTES_MAX,
    DONE,
    MESSAGES_MAX,
    NEW_TOKENS,
    NEW_TOKENS_MAX,
    Answer,
    CompletionRefused,
    CompletionTooLarge,
    asked,
    problem,
)
from models.runtimes.port import GenerationResult, Message

HELLO = [{"role": "user", "content": "Hello"}]


def body(**more: Any) -> bytes:
    return json.dumps({"messages": HELLO, **more}).encode()


def of_size(size: int) -> bytes:
    empty = json.dumps({"messages": [{"role": "user", "content": ""}]}).encode()
    return json.dumps({"messages": [{"role": "user", "content": "x" * (size - len(empty))}]}).encode()


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, NEW_TOKENS),
        ({"max_tokens": 1}, 1),
        ({"max_tokens": NEW_TOKENS_MAX}, NEW_TOKENS_MAX),
        ({"max_tokens": NEW_TOKENS_MAX + 1}, NEW_TOKENS_MAX),
        ({"max_tokens": 5, "max_completion_tokens": 7}, 7),
    ],
)
def test_an_answer_has_the_tokens_asked_for_up_to_a_limit(fields: dict[str, int], tokens: int) -> None:
    assert asked(body(**fields), "small").max_new_tokens == tokens


def test_what_is_asked_is_read_and_what_is_of_no_use_here_is_passed_over() -> None:
    found = asked(
        body(model="small", stream=True, temperature=0.7, stream_options={"include_usage": True}), "small"
    )
    assert found.messages == (Message("user", "Hello"),)
    assert (found.stream, found.include_usage) == (True, True)
    assert asked(body(stream_options={"include_usage": True}), "small").include_usage is False


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": HELLO * (MESSAGES_MAX + 1)},
        {"messages": [{"role": "oracle", "content": "secret words"}]},
        {"messages": [{"role": "user", "content": ["secret words"]}]},
        {"max_tokens": 0},
        {"model": "secret words"},
    ],
)
def test_what_is_refused_is_not_repeated(fields: dict[str, Any]) -> None:
    with pytest.raises(CompletionRefused) as refusal:
        asked(body(**fields), "small")
    assert "secret" not in str(refusal.value)
    assert b"secret" not in problem(refusal.value)


def test_no_json_is_refused() -> None:
    with pytest.raises(CompletionRefused):
        asked(b"{", "small")


def test_as_many_messages_as_may_be_are_read() -> None:
    assert len(asked(body(messages=HELLO * MESSAGES_MAX), "small").messages) == MESSAGES_MAX


@pytest.mark.parametrize("size", [BODY_BYTES_MAX - 1, BODY_BYTES_MAX])
def test_a_body_up_to_the_limit_is_read(size: int) -> None:
    assert len(of_size(size)) == size
    assert asked(of_size(size), "small").messages


def test_a_larger_body_is_refused() -> None:
    with pytest.raises(CompletionTooLarge):
        asked(of_size(BODY_BYTES_MAX + 1), "small")


def events(raw: bytes) -> list[Any]:
    lines = [line.removeprefix(b"data: ") for line in raw.split(b"\n\n") if line]
    return [line if line == b"[DONE]" else json.loads(line) for line in lines]


def test_a_stream_says_who_what_and_how_it_ended() -> None:
    answer = Answer("small")
    ending = answer.ending(GenerationResult("Hi!", "length", 7, 2), include_usage=True)
    *chunks, usage, done = events(
        answer.opening() + answer.piece("Hi") + answer.piece("!") + b"".join(ending)
    )
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "Hi", "!", None]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "length"]
    assert {chunk["id"] for chunk in chunks} == {answer.id}
    assert usage["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert done == b"[DONE]"


def test_tokens_are_told_only_to_who_asked() -> None:
    ending = list(Answer("small").ending(GenerationResult("Hi", "stop", 7, 1), include_usage=False))
    assert len(ending) == 2
    assert ending[-1] == DONE


def test_a_whole_answer_is_one_document() -> None:
    document = json.loads(Answer("small").whole(GenerationResult("Hi", "stopped", 7, 1)))
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}
    assert document["choices"][0]["finish_reason"] == "stop"
