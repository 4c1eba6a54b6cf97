"""The stream of a chat completion as OpenAI's protocol has it: server-sent events, each a chunk in JSON. No I/O.

A stream is whole when the server said why it ended; one that just stops is not, and what it held is not an answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

DONE: Final = b"[DONE]"
WHOLE: Final = frozenset({"stop", "length"})
"""Reasons to end after which the text is an answer; with any other (content_filter, tool_calls) it is not."""

TOKENS_MAX: Final = 2**31 - 1
"""Far above any context; a count past it is no count."""


class Malformed(Exception):
    """Not what the protocol allows; the message is a word for it, and never holds what was received."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counted them."""

    prompt_tokens: int
    new_tokens: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event: more text, why the stream ended, what it took; each where the event says so."""

    text: str = ""
    finish: str = ""
    usage: Usage | None = None


def request_body(
    model: str, messages: Sequence[tuple[str, str]], max_new_tokens: int, *, counted: bool = False
) -> bytes:
    """Greedy, streamed; `messages` are (role, text). `counted`: the server is asked how many tokens it took."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": role, "content": text} for role, text in messages],
        "max_tokens": max_new_tokens,
        "temperature": 0,
        "stream": True,
    }
    if counted:
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def data_of(line: bytes) -> bytes:
    """What a line of the stream carries; b"" for comments, other fields and the empty lines between events."""
    field, _, value = line.rstrip(b"\r\n").partition(b":")
    return value.removeprefix(b" ") if field == b"data" else b""


def chunk_of(data: bytes) -> Chunk:
    """One chunk. Raises Malformed."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Malformed("no_json") from None
    if not isinstance(found, dict):
        raise Malformed("no_chunk")
    if "error" in found:
        raise Malformed("server_error")
    choices = found.get("choices")
    usage = _usage(found.get("usage"))
    if choices == []:  # counts of tokens, at the end
        return Chunk(usage=usage)
    if not isinstance(choices, list):
        raise Malformed("no_chunk")
    try:
        delta, finish = choices[0].get("delta") or {}, choices[0].get("finish_reason") or ""
        text = delta.get("content") or ""
    except (AttributeError, IndexError, KeyError, TypeError):
        raise Malformed("no_chunk") from None
    if not isinstance(text, str) or not isinstance(finish, str):
        raise Malformed("no_chunk")
    return Chunk(text, finish, usage)


def _usage(found: object) -> Usage | None:
    """What is said so far; nonsense counts as nothing said."""
    if not isinstance(found, dict):
        return None
    prompt, new = found.get("prompt_tokens"), found.get("completion_tokens")
    if (
        type(prompt) is not int
        or type(new) is not int
        or not 0 <= min(prompt, new) <= max(prompt, new) <= TOKENS_MAX
    ):
        return None
    return Usage(prompt, new)
