"""Texts with spans, and the ways in which a language model bends a token: of the tests, not of the product."""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database

from edge.privacy.pseudonyms.pseudonyms import Pseudonyms, Scope
from models.detect.spans import Span

SCOPE = Scope("clinic", "session-one", "overflow")


def spans(text: str, *values: tuple[str, str]) -> list[Span]:
    """A span for each (type, value), at the value's first place after the one before."""
    found, position = [], 0
    for type_, value in values:
        start = text.index(value, position)
        position = start + len(value)
        found.append(Span(type_, start, position, 0.9))
    return found


def token_of(pseudonyms: Pseudonyms, type_: str, value: str) -> str:
    """The token that stands for a value."""
    return pseudonyms.mask(value, [Span(type_, 0, len(value), 0.9)])


def _in_code(bend: Callable[[str, str], str]) -> Callable[[str], str]:
    """Bend a code's third character; `bend` gets the code before it, and it with what follows."""

    def bent(token: str) -> str:
        head, _, code = token[1:-1].rpartition("_")
        return f"[{head}_{bend(code[:2], code[2:])}]"

    return bent


BENT: dict[str, Callable[[str], str]] = {
    "small letters": str.lower,
    "capitals": str.upper,
    "capitalised": str.capitalize,
    "no opening bracket": lambda t: t[1:],
    "no closing bracket": lambda t: t[:-1],
    "no brackets": lambda t: t[1:-1],
    "spaces within": lambda t: f"[ {t[1:-1]} ]",
    "space for the underscore": lambda t: " ".join(t.rsplit("_", 1)),
    "hyphen for the underscore": lambda t: "-".join(t.rsplit("_", 1)),
    "no underscore": lambda t: "".join(t.rsplit("_", 1)),
    "bold within": lambda t: f"[**{t[1:-1]}**]",
    "escaped": lambda t: "\\[" + t[1:-1].replace("_", "\\_") + "\\]",
    "underscore escaped": lambda t: t.replace("_", "\\_"),
    "another type": lambda t: "[NOMBRE_" + t.rpartition("_")[2],
    "a letter of the type wrong": lambda t: "[X" + t[2:],
    "replaced": _in_code(lambda head, rest: f"{head}{'b' if rest[0] != 'b' else 'c'}{rest[1:]}"),
    "replaced by a vowel": _in_code(lambda head, rest: f"{head}e{rest[1:]}"),
    "left out": _in_code(lambda head, rest: head + rest[1:]),
    "put in": _in_code(lambda head, rest: f"{head}x{rest}"),
    "swapped": _in_code(lambda head, rest: head + rest[1] + rest[0] + rest[2:]),
}
"""What a model does to a token, by name; each is read as the token that it was."""


def nothing_else(_: Database) -> None:
    """Written beside what a vault keeps."""
