"""A conversation's pseudonyms for one purpose: texts are masked before they leave, answers restored on their return.

The map is here, in memory, and sealed in the store (vault.py); it goes nowhere else. Used from one event loop.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.privacy.pseudonyms import masking
from edge.privacy.pseudonyms.aliases import Persons
from edge.privacy.pseudonyms.codebook import Codebook
from edge.privacy.pseudonyms.names import split_possessive
from edge.privacy.pseudonyms.restoring import Form, Restorer, restore
from edge.privacy.pseudonyms.token import Token
from models.detect.spans import Span

# Types whose values are named in sentences, and so may stand in the genitive.
_NAMED = frozenset({"PERSON", "ORGANIZATION", "LOCATION"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose tokens, and what for: nothing of one scope is read in another."""

    site: str
    session: str
    purpose: str


class Pseudonyms:
    """Tokens of one scope.

    entries  every token in the order of minting, and each alias that told something about a person, for the vault
    """

    def __init__(self, scope: Scope, known: Iterable[Token] = ()) -> None:
        """`known`: the entries of before, in their order."""
        self.scope = scope
        self.entries: list[Token] = []
        self._codebook = Codebook()
        self._persons = Persons()
        for token in known:
            self._take_in(token)

    def __len__(self) -> int:
        return len(self._codebook)

    def __repr__(self) -> str:
        return f"<Pseudonyms: {len(self)} tokens>"

    def mask(self, text: str, spans: Iterable[Span]) -> str:
        """The text with a token for each span, and for whatever else in it reads like a token.

        Spans may overlap or come in any order: what they cover is masked. `text` is as it was said or written: one that
        is masked already would have its tokens taken for somebody's words. Raises CannotMask; then nothing may leave.
        """
        return masking.mask(text, spans, self._piece)

    def restorer(self, form: Form = Form.TEXT) -> Restorer:
        """For one stream. `form`: JSON where the stream is JSON, as a tool's arguments are."""
        return Restorer(self._codebook, form)

    def restore(self, text: str, form: Form = Form.TEXT) -> str:
        """A whole text's tokens as values."""
        return restore(self._codebook, text, form)

    def _piece(self, type_: str, value: str) -> str:
        """What stands in the text for a value."""
        name, genitive = split_possessive(value) if type_ in _NAMED else (value, "")
        return self._token(type_, name).text + genitive

    def _token(self, type_: str, value: str) -> Token:
        token = self._codebook.of_value(type_, value)
        if token is None and type_ == "PERSON" and (found := self._persons.find(value)):
            token, learnt = found
            if learnt:
                self.entries.append(Token(token.type, token.code, value))
        if token is None:
            token = self._codebook.mint(type_, value)
            self._take_in(token)
        return token

    def _take_in(self, entry: Token) -> None:
        """A token of before or a new one; an entry whose code is there already is an alias."""
        self.entries.append(entry)
        known = self._codebook.of_code(entry.code)
        if known:
            self._persons.recall(entry.code, entry.value)
            return
        self._codebook.add(entry)
        if entry.type == "PERSON":
            self._persons.add(entry)
