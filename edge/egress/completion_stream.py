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


class Malformed(Exception):
    """Not what the protocol allows; the message is a word for it, and never holds what was received."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event: more text, and why the stream ended, where it says so."""

    text: str = ""
    finish: str = ""


def request_body(model: str, messages: Sequence[tuple[str, str]], max_new_tokens: int) -> bytes:
    """Greedy, streamed; `messages` are (role, text)."""
    body = {
        "model": model,
        "messages": [{"role": role, "content": text} for role, text in messages],
        "max_tokens": max_new_tokens,
        "temperature": 0,
        "stream": True,
    }
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
    if choices == []:  # counts of tokens, at the end
        return Chunk()
    if not isinstance(choices, list):
        raise Malformed("no_chunk")
    try:
        delta, finish = choices[0].get("delta") or {}, choices[0].get("finish_reason") or ""
        text = delta.get("content") or ""
    except (AttributeError, IndexError, KeyError, TypeError):
        raise Malformed("no_chunk") from None
    if not isinstance(text, str) or not isinstance(finish, str):
        raise Malformed("no_chunk")
    return Chunk(text, finish)
