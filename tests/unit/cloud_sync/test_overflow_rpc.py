"""What a node may ask on the wire, and how it is told: every limit at, below and above; settings that cannot be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from cloud_sync.config import EMBEDDED, OverflowSettings, ProviderSettings
from cloud_sync.overflow.answering import Denial, End, Restart
from cloud_sync.rpc import overflow as rpc
from cloud_sync.rpc.overflow import BadRequest, request_of, response_of
from cloud_sync.rpc.server import answers_at_once
from postern.v1 import overflow_pb2
from postern.v1.overflow_pb2 import GenerateRequest, OverflowMessage, OverflowPiece


def asked(
    *, messages: int = 1, pieces: int = 1, tokens: int = 1, role: str = "user", size: int = 8
) -> GenerateRequest:
    """A request; `size` in bytes of all texts."""
    texts = ["é" * (size // 2) + "x" * (size % 2)] + [""] * (messages * pieces - 1)
    parts = [OverflowPiece(text=text) for text in texts]
    return GenerateRequest(
        messages=[
            OverflowMessage(role=role, pieces=parts[n * pieces : (n + 1) * pieces]) for n in range(messages)
        ],
        max_new_tokens=tokens,
    )


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked(messages=rpc.MESSAGES_MAX),
        asked(pieces=rpc.PIECES_MAX),
        asked(tokens=rpc.NEW_TOKENS_MAX),
        asked(size=rpc.TEXT_BYTES_MAX),
        asked(size=1),
        asked(role="system"),
        asked(role="assistant"),
    ],
)
def test_what_may_be_asked(request_: GenerateRequest) -> None:
    request = request_of(request_)
    assert len(request.messages) == len(request_.messages)
    assert request.max_new_tokens == request_.max_new_tokens


@pytest.mark.parametrize(
    "request_",
    [
        asked(messages=0),
        asked(messages=rpc.MESSAGES_MAX + 1),
        asked(pieces=0),
        asked(pieces=rpc.PIECES_MAX + 1),
        asked(tokens=0),
        asked(tokens=rpc.NEW_TOKENS_MAX + 1),
        asked(size=0),
        asked(size=rpc.TEXT_BYTES_MAX + 1),
        asked(role="tool"),
        asked(role=""),
    ],
)
def test_what_may_not(request_: GenerateRequest) -> None:
    with pytest.raises(BadRequest):
        request_of(request_)


@pytest.mark.parametrize(("said_ms", "patience_s"), [(0, math.inf), (1, 0.001), (800, 0.8)])
def test_how_long_a_node_goes_without_text(said_ms: int, patience_s: float) -> None:
    request_ = asked()
    request_.patience_ms = said_ms
    assert request_of(request_).patience_s == patience_s


def test_events_as_they_go_to_the_node() -> None:
    assert response_of("x").delta.text == "x"
    assert response_of(Restart()).WhichOneof("event") == "restart"
    stop, length = (response_of(End(finish, "p", 3, 4)).end for finish in ("stop", "length"))
    assert (stop.finish, length.finish) == (
        overflow_pb2.OVERFLOW_FINISH_STOP, overflow_pb2.OVERFLOW_FINISH_LENGTH,
    )  # fmt: skip
    assert (stop.provider, stop.prompt_tokens, stop.new_tokens) == ("p", 3, 4)
    denial = response_of(Denial("personal", 1.5, ("EMAIL", "PERSON"))).denial
    assert (denial.code, denial.retry_after_ms, list(denial.types)) == ("personal", 1500, ["EMAIL", "PERSON"])
    assert response_of(Denial("budget", 1e9)).denial.retry_after_ms == 2**32 - 1


def test_a_connection_carries_what_one_node_may_ask_and_as_many_refusals() -> None:
    off, on = OverflowSettings(), OverflowSettings(enabled=True)
    assert answers_at_once(on)[1] > on.concurrent_per_node_max + on.waiting_max // 2
    assert answers_at_once(on)[0] >= answers_at_once(on)[1]
    assert answers_at_once(off)[1] < 10


SERVER: dict[str, Any] = {"name": "s", "kind": "openai", "url": "https://llm.example.org/v1", "model": "m"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"url": "http://127.0.0.1:8000/v1"},
        {"url": "http://localhost:8000/v1"},
        {"url": "http://vllm:8000/v1", "plain_http": True},
        {"daily_budget": 0.0},
        {"name": "a" * 40},
    ],
)
def test_a_server_that_can_be_named(change: dict[str, Any]) -> None:
    ProviderSettings.model_validate(SERVER | change)


@pytest.mark.parametrize(
    "change",
    [
        {"url": "http://vllm:8000/v1"},
        {"url": "ftp://llm.example.org"},
        {"url": "https://me:secret@llm.example.org/v1"},
        {"url": "https://llm.example.org/v1?key=1"},
        {"url": ""},
        {"model": ""},
        {"kind": "engine"},
        {"kind": "other"},
        {"name": ""},
        {"name": "a" * 41},
        {"name": "A b"},
        {"daily_budget": -0.01},
        {"daily_budget": float("inf")},
        {"cost_per_1000_tokens": -1.0},
        {"first_text_s_max": 0.0},
        {"silence_s_max": 0.0},
    ],
)
def test_a_server_that_cannot(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProviderSettings.model_validate(SERVER | change)


def test_places_leave_one_for_another_node_and_names_are_their_own() -> None:
    assert OverflowSettings(concurrent_max=2, concurrent_per_node_max=1).offered == (EMBEDDED,)
    with pytest.raises(ValidationError):
        OverflowSettings(concurrent_max=2, concurrent_per_node_max=2)
    twice = ProviderSettings.model_validate(SERVER)
    with pytest.raises(ValidationError):
        OverflowSettings(providers=(twice, twice))
