"""The tokens of one conversation for one purpose: which value each stands for, and which one a bent token was. Pure
but for the randomness of new codes.
"""

from __future__ import annotations

from edge.privacy.pseudonyms.errors import CannotMask
from edge.privacy.pseudonyms.grammar import Candidate
from edge.privacy.pseudonyms.token import Token, draw_code, one_edit_apart, shortened

# A conversation of half an hour with ten values a turn stays below this; whoever goes past it is refused.
TOKENS_MAX = 1_000
# An address of several lines has some 200 characters; a text of a turn has 4,000 at most.
VALUE_CHARS_MAX = 512


class Codebook:
    """Tokens by code and by value, both ways one to one."""

    def __init__(self) -> None:
        self._by_code: dict[str, Token] = {}
        self._by_value: dict[tuple[str, str], Token] = {}
        # A code's shortened forms: how a bent one is found without looking at all.
        self._near: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._by_code)

    def of_value(self, type_: str, value: str) -> Token | None:
        """The token that this very value has."""
        return self._by_value.get((type_, value))

    def of_code(self, code: str) -> Token | None:
        """The token with this very code."""
        return self._by_code.get(code)

    def mint(self, type_: str, value: str) -> Token:
        """A new token, to be added, for a value that has none. Raises CannotMask at a limit."""
        if len(self) >= TOKENS_MAX:
            raise CannotMask(f"A conversation may have {TOKENS_MAX} personal values.")
        if len(value) > VALUE_CHARS_MAX:
            raise CannotMask(f"A personal value may have {VALUE_CHARS_MAX} characters.")
        return Token(type_, self._free_code(), value)

    def add(self, token: Token) -> None:
        """Take in a token; its code and its value have none yet."""
        self._by_code[token.code] = token
        self._by_value[token.type, token.value] = token
        for form in shortened(token.code):
            self._near.setdefault(form, set()).add(token.code)

    def read(self, candidate: Candidate) -> Token | None:
        """The token that this is, or that it alone can have been before one character went wrong."""
        token = self._by_code.get(candidate.code)
        if token is not None:
            return token
        near = self._around(candidate.code)
        return near[0] if len(near) == 1 and near[0].type == candidate.type else None

    def _around(self, code: str) -> list[Token]:
        """Tokens whose code is one edit from `code`."""
        found = set().union(*(self._near.get(form, ()) for form in shortened(code)))
        return [self._by_code[each] for each in found if one_edit_apart(code, each)]

    def _free_code(self) -> str:
        """A code that no single wrong character makes of another, nor another of it."""
        while True:
            code = draw_code()
            if not any(form in self._near for form in shortened(code)):
                return code
