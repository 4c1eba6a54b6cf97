"""What is wanted of nodes as the fields of a form: from the document to text that a person changes, and back. Pure.

A node is who judges a document (`edge.sync.desired`), as only it knows its site's policy. What every node would refuse
is refused here at once, by the field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloud_sync.fleet.steering import InvalidDesired, read_document

FIELDS: Final[Mapping[str, str]] = {
    "answer_mode": "Answers",
    "heartbeat_s": "Heartbeat (seconds)",
    "notes": "Notes",
    "policy": "Privacy policy",
}
"""Fields of a document that the form knows, and what it calls them."""
ANSWER_MODES: Final = ("extractive", "generative")
# The limits of a node: below, heartbeats would be most of an idle link; above, a dead node shows too late.
HEARTBEAT_S_MIN, HEARTBEAT_S_MAX = 5, 300
NOTES_CHARACTERS_MAX: Final = 400


@dataclass(frozen=True)
class Fields:
    """A document as the form shows it."""

    given: Mapping[str, str]
    """The text of each of FIELDS; "": it is not in the document."""
    others: Mapping[str, Any]
    """What the form has no field for; it is kept as it is."""


def fields_of(document: bytes | None) -> Fields:
    """What a document (canonical JSON; None: there is none) says."""
    said: dict[str, Any] = json.loads(document) if document else {}
    given = {name: _text(said[name]) if name in said else "" for name in FIELDS}
    return Fields(given, {name: value for name, value in said.items() if name not in FIELDS})


def read_fields(given: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What was typed, as values of a document, and what is wrong with it by field. Empty fields are in neither."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name in FIELDS:
        text = given.get(name, "").strip()
        if not text:
            continue
        try:
            values[name] = _value(name, text)
        except InvalidDesired as fault:
            faults[name] = fault.detail
    return values, faults


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False)


def _value(name: str, text: str) -> object:
    """Raises InvalidDesired."""
    if name == "answer_mode" and text not in ANSWER_MODES:
        raise InvalidDesired(f"Choose {' or '.join(ANSWER_MODES)}.")
    if name == "heartbeat_s":
        return _heartbeat(text)
    if name == "notes" and len(text) > NOTES_CHARACTERS_MAX:
        raise InvalidDesired(f"They have {len(text)} characters; {NOTES_CHARACTERS_MAX} are allowed.")
    return json.loads(read_document(text)) if name == "policy" else text


def _heartbeat(text: str) -> int:
    fine = text.isascii() and text.isdecimal() and len(text) <= len(str(HEARTBEAT_S_MAX))
    if not fine or not HEARTBEAT_S_MIN <= int(text) <= HEARTBEAT_S_MAX:
        raise InvalidDesired(f"Give a whole number from {HEARTBEAT_S_MIN} to {HEARTBEAT_S_MAX}.")
    return int(text)
