"""A chat answer in OpenAI's form: cut where the program wants it to end, whole or in chunks. Pure.

https://platform.openai.com/docs/api-reference/chat/object and …/chat/streaming
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

import orjson

from edge.knowledge.sentences import split

Finish = Literal["stop", "length"]

ID_PREFIX: Final = "chatcmpl-"

DONE: Final = b"data: [DONE]\n\n"
"""The end of a stream that came to its end."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request."""

    prompt_tokens: int
    completion_tokens: int

    @property
    def total(self) -> int:
        """Both."""
        return self.prompt_tokens + self.completion_tokens

    def body(self) -> dict[str, int]:
        """As OpenAI's clients read it."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total,
        }


@dataclass(frozen=True, slots=True)
class Head:
    """What every part of an answer repeats."""

    id: str
    model: str
    created_s: int = field(default_factory=lambda: int(time.time()))


def before_stop(text: str, stops: Sequence[str]) -> str:
    """The text up to the first of `stops`."""
    found = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(found)] if found else text


def in_sentences(text: str) -> list[str]:
    """The text in pieces that each end where a sentence does; together they are the text."""
    ends = [end for _, end in split(text)][:-1]
    places = [0, *ends, len(text)]
    return [text[start:end] for start, end in pairwise(places) if end > start]


def beginnings(pieces: Sequence[str]) -> list[str]:
    """The text after one piece, after two, …; the last is all of it."""
    return ["".join(pieces[: count + 1]) for count in range(len(pieces))]


def fitting(tokens: Sequence[int], tokens_max: int | None) -> int:
    """How many pieces fit. `tokens`: of each of the `beginnings`."""
    if tokens_max is None:
        return len(tokens)
    return next((count for count, found in enumerate(tokens) if found > tokens_max), len(tokens))


def completion(
    head: Head, text: str, finish: Finish, usage: Usage, more: dict[str, object]
) -> dict[str, object]:
    """The whole answer; `more` are fields of ours."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return {**_begun(head, "chat.completion"), "choices": [choice], "usage": usage.body(), **more}


def first_chunk(head: Head, include_usage: bool) -> dict[str, object]:
    """Who speaks."""
    return _chunk(head, {"role": "assistant", "content": ""}, None, include_usage)


def text_chunk(head: Head, text: str, include_usage: bool) -> dict[str, object]:
    """More of the answer."""
    return _chunk(head, {"content": text}, None, include_usage)


def last_chunks(
    head: Head, finish: Finish, usage: Usage, more: dict[str, object], include_usage: bool
) -> Iterator[dict[str, object]]:
    """How it ended, with fields of ours; where it was asked for, the tokens by themselves."""
    yield {**_chunk(head, {}, finish, include_usage), **more}
    if include_usage:
        yield {**_begun(head, "chat.completion.chunk"), "choices": [], "usage": usage.body()}


def chunk_bytes(chunk: dict[str, object]) -> bytes:
    """One event of a stream."""
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _chunk(
    head: Head, delta: dict[str, object], finish: Finish | None, include_usage: bool
) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    unknown_yet = {"usage": None} if include_usage else {}
    return {**_begun(head, "chat.completion.chunk"), "choices": [choice], **unknown_yet}


def _begun(head: Head, kind: str) -> dict[str, object]:
    return {"id": head.id, "object": kind, "created": head.created_s, "model": head.model}
