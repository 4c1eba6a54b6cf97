"""What is read as a token, whole or bent, and what may become one as a stream goes on. Pure.

A model bends tokens: other case, a bracket dropped, spaces, Markdown's emphasis and escapes, a type in another
language, one wrong character. Each such form is a match of `_TOKEN`; which value it stands for is for the codebook to
say. Every repetition is bounded, so the time grows linearly with the text, and `_MAY_GROW` matches each beginning of a
token, so that a stream is read the same however it is cut.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import re2

from models.detect.marks import ALPHABET, CODE_CHARS, LETTERS, MARK_CHARS_MAX, TYPES

_NAMES = {name.replace("_", ""): name for name in TYPES}
# The longest token with its brackets and underscores escaped, or in bold; what is longer is not read as one.
FORM_CHARS_MAX = MARK_CHARS_MAX + 4
# What may be held back of a stream, characters: less than that. Of an unbent token, less than its own length.
HELD_CHARS_MAX = FORM_CHARS_MAX - 1
# Characters before a place that decide whether a token may begin there.
CONTEXT_CHARS = 2

# Without a bracket a token begins where no letter or digit stands before it. In a JSON string a line break is `\n`,
# whose n is none; so two characters are looked at.
_BEFORE = r"(?:(?<![^\W_])|(?<=\\[nrt]))"
_AFTER = r"(?![^\W_])"
_PAD = "[ \u00a0*]{0,3}"
# Between type and code: the underscore, escaped or emphasised, or what a model writes in its place.
_SIGN = "[ \u00a0_*`\\\\:#.–-]"
_BETWEEN = _SIGN + "{0,4}"
# A type in another language or with a wrong character; only in brackets, and only with a code that is exact.
_OTHER_TYPE = r"[^\W_][\w-]{1,14}"
_OF_CODES = f"[{ALPHABET}{LETTERS.upper()}]"
# At most one character that no code has.
_CODE_BEGIN = f"{_OF_CODES}{{0,9}}[0-9A-Za-z]?{_OF_CODES}{{0,9}}"
# At least one digit; a character more or less than a code.
_CODE = rf"(?=[A-Za-z]{{0,9}}[0-9])(?=[0-9A-Za-z]{{{CODE_CHARS - 1},{CODE_CHARS + 1}}}{_AFTER}){_CODE_BEGIN}{_AFTER}"


def _letter(letter: str) -> str:
    """A letter of a type in both cases. Python's own ignoring of case knows letters that are no ASCII."""
    return f"[{letter}{letter.lower()}]"


def _type_form(name: str) -> str:
    """A type as models write it: its underscore escaped, another sign, or gone."""
    return r"(?:\\{0,2}[ _-])?".join("".join(map(_letter, part)) for part in name.split("_"))


def _beginnings(names: Sequence[str]) -> str:
    """A pattern that matches every beginning of every name, the empty one too: a tree of optional characters."""
    branches: dict[str, list[str]] = {}
    for name in filter(None, names):
        branches.setdefault(name[0], []).append(name[1:])
    forms = [
        (r"\\{0,2}[ _-]?" if first == "_" else _letter(first)) + _beginnings(rest)
        for first, rest in sorted(branches.items())
    ]
    return f"(?:{'|'.join(forms)})?" if forms else ""


_TYPE = f"(?:{'|'.join(_type_form(name) for name in sorted(TYPES, key=len, reverse=True))})"
_TYPE_BEGIN = _beginnings(sorted(TYPES))


def _core(number: int) -> str:
    """Type and code in brackets; `number` keeps the groups' names apart."""
    return rf"(?:(?P<type{number}>{_TYPE}){_BETWEEN}|{_OTHER_TYPE}{_SIGN}{{1,4}})(?P<code{number}>{_CODE})"


_TOKEN = re.compile(
    # Both brackets escaped; else a backslash before a token is the text's own.
    rf"\\{{1,2}}\[{_PAD}{_core(1)}{_PAD}\\{{1,2}}(?P<close1>\])"
    rf"|(?P<open>\[){_PAD}{_core(2)}(?:{_PAD}\\{{0,2}}(?P<close2>\]))?"
    rf"|{_BEFORE}(?P<type3>{_TYPE}){_BETWEEN}(?P<code3>{_CODE})(?P<close3>\])?",
)
_MAY_GROW = re.compile(
    rf"(?:\\{{1,2}}(?:\[|\Z)|\[){_PAD}"
    rf"(?:(?:{_TYPE}{_BETWEEN}|{_OTHER_TYPE}{_SIGN}{{1,4}}){_CODE_BEGIN}{_PAD}\\{{0,2}}"
    rf"|[^\W_][\w-]{{0,14}}|{_TYPE_BEGIN})\Z"
    rf"|{_BEFORE}(?=[A-Za-z])(?:{_TYPE}{_BETWEEN}{_CODE_BEGIN}|{_TYPE_BEGIN})\Z",
)
# No text has a token without a match of this, which RE2 looks for in one pass: ordinary texts are done with here.
_SEVEN = "|".join(f"{_OF_CODES}{{{n}}}[0-9A-Za-z]{_OF_CODES}{{{6 - n}}}" for n in range(7))
_PERHAPS = re2.compile(rf"(?:{_TYPE}{_BETWEEN}|\[[^\[\]]{{2,22}})(?:{_SEVEN})")
# Shorter texts, pieces of a stream above all, are searched as fast without it.
_PERHAPS_CHARS_MIN = 256


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that reads like a token.

    start, end  its place in the text, brackets that belong to it included
    type        one of TYPES, or "" for another word
    code        in small letters
    bracketed   between two brackets
    """

    start: int
    end: int
    type: str
    code: str
    bracketed: bool

    @property
    def may_be_read(self) -> bool:
        """Whether any codebook could read a token from this."""
        return bool(self.type) or (len(self.code) == CODE_CHARS and set(self.code) <= set(ALPHABET))


def next_candidate(text: str, start: int) -> Candidate | None:
    """The first candidate at or after `start`."""
    if start == 0 and len(text) >= _PERHAPS_CHARS_MIN and not _PERHAPS.search(text):
        return None
    while match := _TOKEN.search(text, start):
        candidate = _candidate(match)
        if candidate is not None:
            return candidate
        start = match.start() + 1
    return None


def may_grow_at(text: str, start: int) -> int:
    """Where the end of `text` begins that may grow to a token, at or after `start`; len(text) if it does nowhere."""
    match = _MAY_GROW.search(text, max(start, len(text) - HELD_CHARS_MAX))
    return match.start() if match else len(text)


def _candidate(match: re.Match[str]) -> Candidate | None:
    """The match, or None where it is longer than a token.

    A bracket that comes too late is not waited for in a stream, so it does not belong to the token here either.
    """
    number = 1 if match["close1"] else 2 if match["open"] else 3
    end, closed = match.end(), bool(match[f"close{number}"])
    if closed and end - match.start() > FORM_CHARS_MAX and number > 1:
        end, closed = match.end(f"code{number}"), False
    if end - match.start() > (FORM_CHARS_MAX if closed else HELD_CHARS_MAX):
        return None
    letters = "".join(filter(str.isalpha, match[f"type{number}"] or "")).upper()
    code = match[f"code{number}"].casefold()
    return Candidate(match.start(), end, _NAMES.get(letters, ""), code, closed and number < 3)
