"""What tests of overflow share: a detector without a model, cloud.toml's section, a node that asks over real mTLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import grpc

from cloud_sync.config import CloudPaths
from core import identity
from models.detect.detector import Finding
from models.detect.label import label_of
from models.detect.spans import Span
from postern.v1 import overflow_pb2, overflow_pb2_grpc

NAME = "Ada Lovelace"
QUESTION = "Where is the lift?"
DEADLINE_S = 10.0


class Certified(Protocol):
    """What enrolment leaves a node with."""

    key_pem: bytes
    certificate_pem: bytes
    ca_pem: bytes
    sync_endpoint: str


@dataclass
class ScriptedDetector:
    """Finds NAME, and is complete unless told otherwise."""

    complete: bool = True
    failing: bool = False
    special: bool = False

    def warm(self) -> None:
        """Nothing to load."""

    def scan(self, texts: Sequence[str]) -> list[Finding]:
        if self.failing:
            raise ValueError(texts[0])
        return [self._found(text) for text in texts]

    def _found(self, text: str) -> Finding:
        at = text.find(NAME)
        spans = (Span("PERSON", at, at + len(NAME), 0.9),) if at >= 0 else ()
        return Finding(spans, label_of(spans, self.special), self.complete)


def provide(paths: CloudPaths, providers: Iterable[str], **settings: object) -> None:
    """Turn overflow on in cloud.toml: `providers` are the lines of one [[overflow.providers]] each."""
    lines = ["enabled = true", *(f"{name} = {value}" for name, value in settings.items())]
    tables = "".join(f"\n[[overflow.providers]]\n{one}\n" for one in providers)
    text = paths.config.read_text(encoding="utf-8")
    paths.config.write_text(text.replace("enabled = false", "\n".join(lines)) + tables, encoding="utf-8")


def request(
    said: str = QUESTION, *, published: str = "", max_new_tokens: int = 20
) -> overflow_pb2.GenerateRequest:
    """A question of a customer's, behind what is published."""
    pieces = [overflow_pb2.OverflowPiece(text=said)]
    if published:
        pieces.insert(0, overflow_pb2.OverflowPiece(text=published, published=True))
    messages = [overflow_pb2.OverflowMessage(role="user", pieces=pieces)]
    return overflow_pb2.GenerateRequest(messages=messages, max_new_tokens=max_new_tokens)


@asynccontextmanager
async def asking(node: Certified) -> AsyncIterator[overflow_pb2_grpc.OverflowServiceStub]:
    """The node's channel for answers."""
    credentials = grpc.ssl_channel_credentials(node.ca_pem, node.key_pem, node.certificate_pem)
    options = [("grpc.ssl_target_name_override", identity.CONTROL_PLANE_TARGET_NAME)]
    async with grpc.aio.secure_channel(node.sync_endpoint, credentials, options=options) as channel:
        yield overflow_pb2_grpc.OverflowServiceStub(channel)


async def events(
    stub: overflow_pb2_grpc.OverflowServiceStub,
    asked: overflow_pb2.GenerateRequest,
    deadline_s: float = DEADLINE_S,
) -> list[object]:
    """What was told: text as str, the rest as messages."""
    told = []
    async for response in stub.Generate(asked, timeout=deadline_s):
        event = getattr(response, response.WhichOneof("event"))
        told.append(event.text if isinstance(event, overflow_pb2.OverflowDelta) else event)
    return told
