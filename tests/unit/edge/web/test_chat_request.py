"""What is taken, what is refused by name, and what the desk makes of a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.chat.turn import WHICH
from edge.inference.worker import STOPS_MAX
from edge.web import chat_request
from edge.web.chat_request import EARLIER_MAX, MESSAGES_MAX, STOP_CHARS_MAX
from edge.web.program_requests import RequestRefused

USER = {"role": "user", "content": "When is the pharmacy open?"}


def read(**more: Any) -> chat_request.Wanted:
    return chat_request.read(json.dumps({"model": "postern", "messages": [USER], **more}).encode())


def asked(*messages: dict[str, Any], chars_max: int = 100) -> chat_request.Asked:
    return chat_request.asked(read(messages=list(messages)), chars_max)


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def test_the_least() -> None:
    wanted = read()
    assert (wanted.stops, wanted.tokens_max, wanted.stream, wanted.include_usage) == ((), None, False, False)
    assert wanted.messages == (("user", USER["content"]),)


def test_what_changes_nothing_is_taken() -> None:
    read(
        n=1,
        temperature=0,
        top_p=1,
        presence_penalty=0,
        frequency_penalty=0.0,
        logprobs=False,
        store=False,
        response_format={"type": "text"},
        seed=7,
        user="anyone",
        tools=None,
        stream_options=None,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "param"),
    [
        ({"n": 2}, "unsupported_value", "n"),
        ({"n": 0}, "unsupported_value", "n"),
        ({"n": True}, "bad_request", "n"),
        ({"temperature": 0.1}, "unsupported_value", "temperature"),
        ({"top_p": 0.9}, "unsupported_value", "top_p"),
        ({"presence_penalty": 1}, "unsupported_value", "presence_penalty"),
        ({"frequency_penalty": -1}, "unsupported_value", "frequency_penalty"),
        ({"logprobs": True}, "unsupported_value", "logprobs"),
        ({"store": True}, "unsupported_value", "store"),
        ({"response_format": {"type": "json_object"}}, "unsupported_value", "response_format"),
        ({"tools": []}, "unsupported_parameter", "tools"),
        ({"tool_choice": "none"}, "unsupported_parameter", "tool_choice"),
        ({"top_logprobs": 2}, "unsupported_parameter", "top_logprobs"),
        ({"logit_bias": {}}, "unsupported_parameter", "logit_bias"),
        ({"reasoning_effort": "low"}, "unsupported_parameter", "reasoning_effort"),
        ({"top_k": 1}, "unknown_parameter", "top_k"),
        ({"top_k": None}, "unknown_parameter", "top_k"),
        ({"x" * 70: 1}, "unknown_parameter", "x" * 60),
        ({"stop": ""}, "bad_request", "stop"),
        ({"stop": ["a", ""]}, "bad_request", "stop"),
        ({"stop": ["a"] * (STOPS_MAX + 1)}, "unsupported_value", "stop"),
        ({"stop": ["a", "x" * (STOP_CHARS_MAX + 1)]}, "unsupported_value", "stop"),
        ({"stop": 3}, "bad_request", "stop"),
        ({"max_tokens": 0}, "bad_request", "max_tokens"),
        ({"max_completion_tokens": 0}, "bad_request", "max_completion_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "bad_request", "max_tokens"),
        ({"stream_options": {"include_usage": True}}, "bad_request", "stream_options"),
        ({"stream": True, "stream_options": {"more": 1}}, "unknown_parameter", "stream_options.more"),
        (
            {"stream": True, "stream_options": {"include_obfuscation": True}},
            "bad_request",
            "stream_options",
        ),
        ({"messages": []}, "bad_request", "messages"),
        ({"messages": [USER] * (MESSAGES_MAX + 1)}, "bad_request", "messages"),
        ({"messages": [said("tool", "x")]}, "bad_request", "messages"),
        ({"messages": [{"role": "user"}]}, "bad_request", "messages"),
        ({"messages": [{**USER, "cache": 1}]}, "unknown_parameter", "messages[0].cache"),
        ({"messages": [said("user", [{"type": "image_url"}])]}, "unsupported_value", "messages"),
        ({"messages": "Hello"}, "bad_request", "messages"),
        ({"model": 3}, "bad_request", "model"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(arguments: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        read(**arguments)
    assert (refused.value.code, refused.value.param) == (code, param)
    assert USER["content"] not in refused.value.detail


def test_as_many_stops_and_messages_as_are_taken() -> None:
    assert read(stop="a" * STOP_CHARS_MAX).stops == ("a" * STOP_CHARS_MAX,)
    assert read(stop=["a", "b", "c", "d"]).stops == ("a", "b", "c", "d")
    assert len(read(messages=[USER] * MESSAGES_MAX).messages) == MESSAGES_MAX


def test_both_names_of_the_most_tokens() -> None:
    assert read(max_tokens=5).tokens_max == read(max_completion_tokens=5).tokens_max == 5


def test_parts_of_text_are_one_text() -> None:
    parts = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert read(messages=[said("user", parts)]).messages == (("user", "One.\nTwo."),)


def test_the_last_user_asks_and_the_one_before_is_the_topic() -> None:
    found = asked(
        said("system", "You are a pirate."),
        USER,
        {"role": "assistant", "content": "From 9.", "refusal": None, "postern": {}},
        said("user", "And on Saturday?"),
        said("system", "Be brief."),
    )
    assert (found.question, found.before.topic) == ("And on Saturday?", USER["content"])
    assert found.before.offered == ()


def test_the_topic_is_the_last_question_that_stood_on_its_own() -> None:
    found = asked(USER, said("user", "And on Saturday?"), said("user", "And on Sunday?"))
    assert (found.question, found.before.topic) == ("And on Sunday?", USER["content"])
    alone = asked(said("user", "And on Saturday?"), said("user", "And on Sunday?"))
    assert alone.before.topic == "And on Saturday?"
    assert asked(USER).before.topic == ""


def test_how_far_back_a_topic_is_looked_for() -> None:
    leaning = [said("user", "And on Sunday?")]
    assert asked(USER, *leaning * EARLIER_MAX).before.topic == USER["content"]
    assert asked(USER, *leaning * (EARLIER_MAX + 1)).before.topic == "And on Sunday?"


def test_choices_that_were_offered_are_known_again() -> None:
    back = said("assistant", f"{WHICH}\n- When (Pharmacy)?\n- When (Clinic)?")
    found = asked(USER, back, said("user", "When (Clinic)?"))
    assert found.before.offered == ("When (Pharmacy)?", "When (Clinic)?")
    # Lines of an answer are no choices, nor is what was offered before the last question.
    lines = asked(USER, said("assistant", "Bring:\n- When (Clinic)?"), USER)
    assert lines.before.offered == ()
    assert asked(USER, back, USER, said("assistant", "From 9."), USER).before.offered == ()


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([said("system", "x")], "bad_request"),
        ([said("assistant", "x")], "bad_request"),
        ([said("user", " \n")], "bad_request"),
        ([said("user", "x" * 101)], "context_length_exceeded"),
        ([said("user", "x" * 101), USER], "context_length_exceeded"),
    ],
)
def test_no_question(messages: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        asked(*messages)
    assert (refused.value.code, refused.value.param) == (code, "messages")


def test_the_longest_question_and_longer_messages_of_others() -> None:
    found = asked(said("system", "x" * 1000), said("user", "x" * 100), said("assistant", "x" * 1000))
    assert found.question == "x" * 100
