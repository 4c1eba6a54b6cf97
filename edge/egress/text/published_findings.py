"""What was found in published texts, kept: the same passages are handed on with one question after the other.

Kept are a digest, and types with their places; no text. What a customer said never comes here. A document that was
revised has another digest, and a detector that changed finds nothing kept. Pure.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from models.detect.detector import Finding

KEPT_MAX: Final = 4_096
"""Texts: those of a few thousand passages, some 2 MB with ten values in each. The least used goes first."""

_FENCE: Final = re.compile(r"(</?(?:quote|question) )[0-9a-f]{8}(?=>)")


def without_fences(text: str) -> str:
    """With letters in the place of a turn's fence (`edge.chat.prompt`), which says nothing and is new for every turn.

    Of the same length, so that what is found stands at the same places; no digits, which could be a telephone's.
    """
    return _FENCE.sub(r"\g<1>xxxxxxxx", text)


class PublishedFindings:
    """Used from one event loop."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._version = ""
        self._found: dict[bytes, Finding] = {}

    def __len__(self) -> int:
        return len(self._found)

    def of(self, text: str, version: str) -> Finding | None:
        """What detector `version` found in it; None where that is not kept."""
        if version != self._version:
            return None
        digest = _digest(text)
        if found := self._found.pop(digest, None):
            self._found[digest] = found
        return found

    def keep(self, text: str, version: str, finding: Finding) -> None:
        """Keep what detector `version` found in it."""
        if version != self._version:
            self._version = version
            self._found.clear()
        self._found[_digest(text)] = finding
        if len(self._found) > self._kept_max:
            self._found.pop(next(iter(self._found)))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=32).digest()
