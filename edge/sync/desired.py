"""The desired state's document and the rule by which one is accepted. Pure.

Data only, and little of it: nothing here can make the node send text, loosen the site's policy or run anything. A
policy is accepted only where it is stricter than the site's own (`edge.privacy.policies`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.privacy.policy import Policy
from edge.sync.frames import DesiredState
from edge.updates.wanted import UPDATES_MAX, Update

DOCUMENT_BYTES_MAX = 64 * 1024
_NOT_A_CODE = re.compile(r"[^a-z0-9_.]")
FIELD_CHARS_MAX = 64


class DesiredDocument(BaseModel):
    """What a control plane may ask of a node; what is absent stays as the site set it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    answer_mode: Literal["extractive", "generative"] | None = None
    # Below 5 s heartbeats would be most of an idle link's traffic; above 300 s a dead node shows too late.
    heartbeat_s: Annotated[int, Field(ge=5, le=300)] | None = None
    # Tightens the site's own privacy policy; what is absent leaves that as it is.
    policy: Policy | None = None
    # At most one of a kind and name.
    updates: Annotated[tuple[Update, ...], Field(max_length=UPDATES_MAX)] = ()
    # For people, shown in the site's console; the node does nothing with it.
    notes: Annotated[str, Field(max_length=400)] | None = None


class DesiredRefused(Exception):
    """The document cannot be run here: names the field and a short code."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = as_code(field)
        self.reason = as_code(reason)


@dataclass(frozen=True)
class Progress:
    """How far the node is with the desired state."""

    observed_generation: int = 0
    applied_generation: int = 0
    applied_hash: bytes = b""
    rejected_hash: bytes = b""
    rejected_field: str = ""
    rejected_reason: str = ""


def as_code(text: str) -> str:
    """`text` as a short code: what could carry words of someone is dropped."""
    return _NOT_A_CODE.sub("_", text.lower())[:FIELD_CHARS_MAX]


def parse(document: bytes) -> DesiredDocument:
    """Read a document. Raises DesiredRefused with the first field that does not fit."""
    if len(document) > DOCUMENT_BYTES_MAX:
        raise DesiredRefused("document", "too_long")
    try:
        return DesiredDocument.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise DesiredRefused(".".join(map(str, first["loc"])) or "document", first["type"]) from None


def check(frame: DesiredState, progress: Progress) -> DesiredDocument:
    """The document, if the frame is whole and newer than what the node has seen. Raises DesiredRefused."""
    if hashlib.sha256(frame.document).digest() != frame.hash:
        raise DesiredRefused("hash", "mismatch")
    if frame.generation < progress.observed_generation:
        raise DesiredRefused("generation", "older_than_observed")
    if frame.generation == progress.applied_generation and frame.hash != progress.applied_hash:
        raise DesiredRefused("generation", "reused")
    return parse(frame.document)
