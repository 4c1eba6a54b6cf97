"""OpenAI's chat completions as a server sees them: what a request asks, and how an answer is written. No I/O.

Source: the API reference of OpenAI, "Chat completions" and "Streaming". Generation is greedy: what a request says of
sampling is passed over, as are all fields that a server of one model has no use for.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import PosternError
from models.runtimes.port import Finish, GenerationResult, Message

BODY_BYTES_MAX: Final = 64 * 1024
"""The node's own limit of a request. Ray carries what is under 100 KB inside its message; more would go into a shared
store of objects, which may spill to the disk in clear."""

NEW_TOKENS_MAX: Final = 1024
"""Four times what a site asks for at most; longer answers would only keep a replica from others."""

NEW_TOKENS: Final = 256
"""Where a request names none."""

MESSAGES_MAX: Final = 64

DONE: Final = b"data: [DONE]\n\n"
"""Without it a stream was cut, and what came is not a whole answer."""

FINISH: Final[dict[Finish, str]] = {"stop": "stop", "length": "length", "stopped": "stop"}


class CompletionRefused(PosternError):
    """A request that this server does not serve; the detail names a field, never its value."""

    code = "completion_refused"
    title = "The request is no chat completion that is served here"
    remedy = "Send messages with role and content, and the name of the model that is served."
    status = 400


class CompletionTooLarge(CompletionRefused):
    """More bytes than BODY_BYTES_MAX."""

    code = "completion_too_large"
    title = "The request is larger than 64 KiB"
    remedy = "Pass fewer or shorter passages."
    status = 413


class CompletionUnauthorised(CompletionRefused):
    """No key, or another one."""

    code = "completion_unauthorised"
    title = "The key is missing or wrong"
    remedy = "Send the key of the file that the cluster was started with, as a bearer token."
    status = 401


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True)
    role: Literal["system", "user", "assistant"]
    content: str = Field(repr=False)


class _StreamOptions(BaseModel):
    include_usage: bool = False


class _Request(BaseModel):
    model: str = ""
    messages: Annotated[list[_Message], Field(min_length=1, max_length=MESSAGES_MAX)]
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stream: bool = False
    stream_options: _StreamOptions | None = None


@dataclass(frozen=True)
class Asked:
    """What a request asks, within the limits."""

    messages: tuple[Message, ...] = field(repr=False)
    max_new_tokens: int
    stream: bool
    include_usage: bool


def asked(body: bytes, model: str) -> Asked:
    """What the JSON in `body` asks of `model`. Raises CompletionRefused or CompletionTooLarge."""
    if len(body) > BODY_BYTES_MAX:
        raise CompletionTooLarge
    try:
        request = _Request.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise CompletionRefused(f"{where or 'The body'}: {fault['type']}.") from None
    if request.model not in ("", model):
        raise CompletionRefused(f"Only {model} is served here.")
    wanted = request.max_completion_tokens or request.max_tokens or NEW_TOKENS
    options = request.stream_options
    return Asked(
        tuple(Message(each.role, each.content) for each in request.messages),
        min(wanted, NEW_TOKENS_MAX),
        request.stream,
        request.stream and options is not None and options.include_usage,
    )


@dataclass(frozen=True)
class Answer:
    """One answer's forms. `id` and `created_s` are the same in all of them."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created_s: int = field(default_factory=lambda: int(time.time()))

    def opening(self) -> bytes:
        """The first event of a stream: who speaks."""
        return self._event({"role": "assistant", "content": ""}, None)

    def piece(self, text: str) -> bytes:
        """The event of more text."""
        return self._event({"content": text}, None)

    def ending(self, result: GenerationResult, include_usage: bool) -> Iterator[bytes]:
        """The last events: how it ended, what it took where that was asked for, and that it is whole."""
        yield self._event({}, FINISH[result.finish])
        if include_usage:
            chunk = {**self._head("chat.completion.chunk"), "choices": [], "usage": _usage(result)}
            yield b"data: " + orjson.dumps(chunk) + b"\n\n"
        yield DONE

    def whole(self, result: GenerationResult) -> bytes:
        """The answer of a request that asked for no stream."""
        message = {"role": "assistant", "content": result.text}
        choice = {"index": 0, "message": message, "finish_reason": FINISH[result.finish]}
        return orjson.dumps({**self._head("chat.completion"), "choices": [choice], "usage": _usage(result)})

    def _event(self, delta: dict[str, str], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return (
            b"data: " + orjson.dumps({**self._head("chat.completion.chunk"), "choices": [choice]}) + b"\n\n"
        )

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created_s, "model": self.model}


def problem(error: PosternError) -> bytes:
    """An error in the form that clients of this API read."""
    return orjson.dumps(
        {"error": {"message": f"{error.detail} {error.remedy}", "type": error.title, "code": error.code}}
    )


def _usage(result: GenerationResult) -> dict[str, int]:
    return {
        "prompt_tokens": result.prompt_tokens,
        "completion_tokens": result.new_tokens,
        "total_tokens": result.prompt_tokens + result.new_tokens,
    }
