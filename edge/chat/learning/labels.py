"""What an example says of its question, and how that is written in the table `examples`. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

from edge.chat.feedback import Reason

# With these a customer says that the documents shown were not the right ones; the others say nothing about that.
OF_WRONG_DOCUMENTS = frozenset({Reason.WRONG, Reason.NOT_MY_QUESTION})


class ExampleKind(StrEnum):
    """What an example teaches."""

    ANSWER = "answer"
    INTENT = "intent"


class Source(StrEnum):
    """Who said so. `operator` is kept for programs of the site's own."""

    FEEDBACK = "feedback"
    CORRECTION = "correction"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Staff: this document answers; with a section, there."""

    document: str
    section: str = ""


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """Staff: no document answers."""


@dataclass(frozen=True, slots=True)
class NotHelpful:
    """A customer: an answer from these documents did not help."""

    documents: tuple[str, ...]
    reason: Reason | None

    @property
    def wrong_documents(self) -> frozenset[str]:
        """The documents that this speaks against; none where the reason is another."""
        return frozenset(self.documents if self.reason in OF_WRONG_DOCUMENTS else ())


@dataclass(frozen=True, slots=True)
class Asks:
    """Staff: this is what the customer wants."""

    intent: str


Label = AnsweredBy | Unanswerable | NotHelpful | Asks


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """One example: a redacted question and what is known of it."""

    id: int
    created_ms: int
    text: str
    label: Label
    source: Source


def kind_of(label: Label) -> ExampleKind:
    """The value of the column `kind`."""
    return ExampleKind.INTENT if isinstance(label, Asks) else ExampleKind.ANSWER


def to_json(label: Label) -> str:
    """The value of the column `label`: canonical JSON."""
    match label:
        case AnsweredBy(document, section):
            value: dict[str, object] = {"answered_by": {"document": document, "section": section}}
        case Unanswerable():
            value = {"answered_by": None}
        case NotHelpful(documents, reason):
            value = {"documents": sorted(set(documents)), "reason": reason}
        case Asks(intent):
            value = {"intent": intent}
    return json.dumps(value, sort_keys=True)


def from_json(written: str) -> Label:
    """Read `to_json`, and what feedback writes. Raises ValueError."""
    value = json.loads(written)
    if "intent" in value:
        return Asks(value["intent"])
    if "documents" in value:
        reason = value["reason"]
        return NotHelpful(tuple(value["documents"]), None if reason is None else Reason(reason))
    answered = value["answered_by"]
    return Unanswerable() if answered is None else AnsweredBy(answered["document"], answered["section"])
