"""Tokens become values again, in a whole text or as it streams. Pure.

The same text gives the same result however it is cut: a `Restorer` holds back only what may still become a token.
What reads like a token and is none of this codebook's stays masked: as its type, `[PERSON]`, where it stands in
brackets under a type, else as it is.
"""

from __future__ import annotations

import json
from enum import StrEnum

from edge.privacy.pseudonyms.codebook import Codebook
from edge.privacy.pseudonyms.grammar import CONTEXT_CHARS, Candidate, may_grow_at, next_candidate


class Form(StrEnum):
    """What the text is in which values are restored."""

    TEXT = "text"
    JSON = "json"  # JSON as text, arguments of a tool among it: values are escaped as strings of it


class Restorer:
    """One stream's tokens become values. `feed` gives what is settled, `close` the rest."""

    def __init__(self, codebook: Codebook, form: Form = Form.TEXT) -> None:
        self._codebook = codebook
        self._form = form
        # The end of what was given out, for its context, and behind it what is held back.
        self._text = ""
        self._held_from = 0

    @property
    def held_chars(self) -> int:
        """Characters that are held back just now."""
        return len(self._text) - self._held_from

    def feed(self, chunk: str) -> str:
        """More of the stream; what of it can be shown."""
        self._text += chunk
        return self._settle(last=False)

    def close(self) -> str:
        """What was held back: the stream is over."""
        return self._settle(last=True)

    def _settle(self, *, last: bool) -> str:
        text, shown, looked = self._text, self._held_from, self._held_from
        parts: list[str] = []
        while True:
            candidate = next_candidate(text, looked)
            growing = len(text) if last else may_grow_at(text, looked)
            if candidate is None or (growing < len(text) and growing <= candidate.start):
                break
            restored = self._read(candidate)
            if restored is None:  # a token may begin within what only looked like one
                looked = candidate.start + 1
                continue
            parts += [text[shown : candidate.start], restored]
            shown = looked = candidate.end
        parts.append(text[shown:growing])
        context = max(0, growing - CONTEXT_CHARS)
        self._text, self._held_from = text[context:], growing - context
        return "".join(parts)

    def _read(self, candidate: Candidate) -> str | None:
        token = self._codebook.read(candidate)
        if token is not None:
            return token.value if self._form is Form.TEXT else _escaped(token.value)
        return f"[{candidate.type}]" if candidate.type and candidate.bracketed else None


def restore(codebook: Codebook, text: str, form: Form = Form.TEXT) -> str:
    """A whole text's tokens as values."""
    restorer = Restorer(codebook, form)
    return restorer.feed(text) + restorer.close()


def _escaped(value: str) -> str:
    """The value as it stands in a JSON string, without its quotation marks."""
    return json.dumps(value, ensure_ascii=False)[1:-1]
