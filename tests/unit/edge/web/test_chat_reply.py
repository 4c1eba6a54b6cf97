"""Where an answer ends, and what it looks like to OpenAI's clients."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from edge.web import chat_reply
from edge.web.chat_reply import Head, Usage

TEXT = "Do not come on Monday. Come on Dr. Hill's day:\n- Friday, 9 to 12\n- Saturday? No."
HEAD, USAGE = Head("chatcmpl-x", "postern", 7), Usage(3, 4)


@pytest.mark.parametrize(
    ("stops", "left"),
    [
        ((), TEXT),
        (("nowhere",), TEXT),
        (("Monday",), "Do not come on "),
        (("Friday", "come"), "Do not "),
        (("Do",), ""),
    ],
)
def test_an_answer_ends_before_the_first_stop(stops: tuple[str, ...], left: str) -> None:
    assert chat_reply.before_stop(TEXT, stops) == left


def test_sentences_are_never_halved_and_nothing_is_lost() -> None:
    pieces = chat_reply.in_sentences(TEXT)
    assert pieces == [
        "Do not come on Monday.",
        " Come on Dr. Hill's day:",
        "\n- Friday, 9 to 12",
        "\n- Saturday?",
        " No.",
    ]
    assert chat_reply.in_sentences("") == []
    assert "".join(chat_reply.in_sentences(f"  {TEXT} \n")) == f"  {TEXT} \n"
    assert chat_reply.beginnings(["a", "b", "c"]) == ["a", "ab", "abc"]


@pytest.mark.parametrize(
    ("tokens_max", "kept"), [(None, 3), (1, 0), (4, 0), (5, 1), (8, 1), (9, 2), (11, 2), (12, 3), (13, 3)]
)
def test_as_many_sentences_as_fit(tokens_max: int | None, kept: int) -> None:
    assert chat_reply.fitting([5, 9, 12], tokens_max) == kept
    assert chat_reply.fitting([], tokens_max) == 0


def test_the_whole_answer_is_openais_object() -> None:
    body = chat_reply.completion(HEAD, TEXT, "stop", USAGE, {"postern": {"route": "answer"}})
    found = ChatCompletion.model_validate(body)
    assert found.choices[0].message.content == TEXT
    assert found.usage and found.usage.total_tokens == 7
    assert (found.model_extra or {})["postern"] == {"route": "answer"}


@pytest.mark.parametrize("include_usage", [False, True])
def test_chunks_are_openais_objects(include_usage: bool) -> None:
    bodies: list[dict[str, Any]] = [
        chat_reply.first_chunk(HEAD, include_usage),
        chat_reply.text_chunk(HEAD, "Yes.", include_usage),
        *chat_reply.last_chunks(HEAD, "length", USAGE, {"postern": {}}, include_usage),
    ]
    chunks = [ChatCompletionChunk.model_validate(body) for body in bodies]
    assert {chunk.id for chunk in chunks} == {HEAD.id}
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[1].choices[0].delta.content == "Yes."
    assert chunks[2].choices[0].finish_reason == "length"
    assert bodies[2]["postern"] == {}
    if include_usage:
        assert [body["usage"] for body in bodies] == [None, None, None, USAGE.body()]
        assert bodies[3]["choices"] == []
    else:
        assert len(bodies) == 3
        assert not any("usage" in body for body in bodies)
