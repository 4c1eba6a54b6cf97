"""What a program may ask of `/v1/chat/completions`: the body, and each refusal by name. Pure.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.chat.live_session import Memory
from edge.chat.single_turn import memory_of
from edge.inference.worker import STOPS_MAX
from edge.web.program_requests import (
    ContextLengthExceeded,
    RequestRefused,
    UnsupportedParameter,
    UnsupportedValue,
    parse,
    unknown_parameter,
)

STOP_CHARS_MAX: Final = 256
"""Of each: what may be the beginning of one is held back."""

MESSAGES_MAX: Final = 256
"""More than any conversation has that a person still follows; each is looked at."""

EARLIER_MAX: Final = 8
"""Questions before the last that are looked at: a person leans on what was just said."""

_ONLY: Final[dict[str, object]] = {
    "n": 1,
    "temperature": 0,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": False,
    "store": False,
    "response_format": {"type": "text"},
}
"""Parameters that are taken with the one value that is what happens anyway."""

_UNSUPPORTED: Final = frozenset(
    {
        "audio",
        "function_call",
        "functions",
        "logit_bias",
        "metadata",
        "modalities",
        "moderation",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "service_tier",
        "tool_choice",
        "tools",
        "top_logprobs",
        "verbosity",
        "web_search_options",
    }
)
"""OpenAI's others. Null stands for nothing, as there."""


class _Open(BaseModel):
    """Fields that are not named are kept, to be refused by name."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class ContentPart(_Open):
    """A piece of a message."""

    type: str
    text: str | None = None


class ChatMessage(_Open):
    """One message of the conversation. An assistant's comes back as it was given, with all its fields."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart] | None = None
    name: str | None = None


class StreamOptions(BaseModel):
    """How it is streamed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class ChatBody(_Open):
    """POST /v1/chat/completions."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES_MAX)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    stop: str | list[str] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    store: bool | None = None
    response_format: dict[str, object] | None = None
    seed: int | None = None
    """Taken: nothing is left to chance, and every seed gives the same answer."""
    user: str | None = None
    """Taken, and neither used nor kept."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request that can be honoured. `messages`: (role, text); `stops`: where the answer ends before."""

    model: str
    messages: tuple[tuple[str, str], ...]
    stops: tuple[str, ...]
    tokens_max: int | None
    stream: bool
    include_usage: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the desk makes of a conversation. `topic`: the question that this one may lean on, or nothing."""

    question: str
    before: Memory


def read(raw: bytes) -> Wanted:
    """The request. Raises RequestRefused."""
    body = parse(raw, ChatBody)
    _refuse_others(body)
    for name, only in _ONLY.items():
        value = getattr(body, name)
        if value is not None and value != only:
            raise UnsupportedValue(f"{name}: only {_shown(only)} can be honoured.", name)
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise RequestRefused("Send max_tokens or max_completion_tokens, not both.", "max_tokens")
    if body.stream_options is not None and not body.stream:
        raise RequestRefused("stream_options is for streams: send stream=true.", "stream_options")
    return Wanted(
        model=body.model,
        messages=tuple((message.role, _text(index, message)) for index, message in enumerate(body.messages)),
        stops=_stops(body.stop),
        tokens_max=body.max_tokens or body.max_completion_tokens,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
    )


def asked(wanted: Wanted, chars_max: int) -> Asked:
    """The last question and what it may lean on. Raises RequestRefused, ContextLengthExceeded.

    Only users' messages are read, and the last answer where it asked back; `chars_max` is of each.
    """
    users = [index for index, (role, _) in enumerate(wanted.messages) if role == "user"]
    if not users:
        raise RequestRefused("There is no message of a user, and so no question.", "messages")
    questions = [wanted.messages[index][1].strip() for index in users]
    if not questions[-1]:
        raise RequestRefused("The last message of the user is empty.", "messages")
    if max(map(len, questions)) > chars_max:
        raise ContextLengthExceeded(f"A user's message may have {chars_max} characters.", "messages")
    since = wanted.messages[users[-2] + 1 : users[-1]] if len(users) > 1 else ()
    answers = [text for role, text in since if role == "assistant"]
    earlier = [text for text in questions[:-1] if text][-EARLIER_MAX:]
    return Asked(questions[-1], memory_of(earlier, "\n".join(answers[-1:])))


def _refuse_others(body: ChatBody) -> None:
    """Raises UnsupportedParameter, UnknownParameter."""
    for name, value in (body.model_extra or {}).items():
        if name not in _UNSUPPORTED:
            raise unknown_parameter(name)
        if value is not None:
            raise UnsupportedParameter(f"{name} cannot be honoured.", name)


def _text(index: int, message: ChatMessage) -> str:
    """What a message says. Raises UnsupportedValue, UnknownParameter."""
    place = f"messages[{index}]"
    if message.role != "assistant" and (others := message.model_extra):
        raise unknown_parameter(f"{place}.{next(iter(others))}")
    if isinstance(message.content, str):
        return message.content
    if message.content is None:
        if message.role == "assistant":  # it called a tool, elsewhere
            return ""
        raise RequestRefused(f"{place}.content is missing.", "messages")
    parts = []
    for part in message.content:
        if part.type != "text" or part.text is None:
            raise UnsupportedValue(f"{place}.content: only text can be read.", "messages")
        parts.append(part.text)
    return "\n".join(parts)


def _stops(stop: str | list[str] | None) -> tuple[str, ...]:
    """Raises RequestRefused, UnsupportedValue."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if "" in stops:
        raise RequestRefused("stop: an empty text is found everywhere.", "stop")
    if len(stops) > STOPS_MAX:
        raise UnsupportedValue(f"stop: at most {STOPS_MAX} texts.", "stop")
    if any(len(text) > STOP_CHARS_MAX for text in stops):
        raise UnsupportedValue(f"stop: at most {STOP_CHARS_MAX} characters each.", "stop")
    return stops


def _shown(value: object) -> str:
    return '{"type": "text"}' if isinstance(value, dict) else str(value).lower()
