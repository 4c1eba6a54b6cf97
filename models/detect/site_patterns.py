"""Identifiers of the site's own (a clinic's record number, a bank's customer number), by pattern or by example.

RE2 reads the patterns: none can be super-linear. A form that fits ordinary words or short numbers is refused when it is
loaded, for it would mask every text. Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import re2

from models.detect.entity_types import ENTITY_TYPES
from models.detect.spans import Span

# As many as a hospital with its laboratories has, and what one pass over a text bears.
IDENTIFIERS_MAX = 50
PATTERN_CHARS_MAX = 200
# Memory of one compiled pattern, bytes: a thousand times an ordinary one's; "(a{1000}){1000}" is refused.
PATTERN_BYTES_MAX = 1 << 20
# From fewer nobody tells what of a value is fixed.
EXAMPLES_MIN = 3
EXAMPLES_MAX = 100
EXAMPLE_CHARS_MAX = 64

# The site says that this is its identifier; beside one of its words there is no doubt left.
SCORE = 0.95
# How much text before and behind a value is read for the identifier's words: a short sentence.
CHARS_BESIDE_MAX = 60

# What a form must leave alone: sentences in four languages, and numbers that stand in every text.
_ORDINARY = """
    The quick clinic opens every weekday morning and Doctor Example sees patients until late afternoon.
    Please bring your insurance card and COVID test results; parking is behind building B or in the garage ABC.
    I would like to transfer money abroad, cancel my standing order and ask why the machine kept my card yesterday.
    Die Sprechstunde beginnt montags um acht Uhr, danach bleibt die Anmeldung bis zum Nachmittag geschlossen.
    Le cabinet ouvre chaque matin et le service des urgences reste joignable toute la nuit, sans rendez-vous.
    La oficina abre por la tarde; traiga su documento de identidad y una factura reciente, por favor.
    1 7 12 25 42 99 100 214 365 404 999 1000 1998 2026 2500 9999 10000 12345 75001 90210 99999 483920 1234567 20261129
    9:30 10-14 8.00 17.30 1,250.00 99.95 3.5 1/2 24/7 50% 2026-11-29 29.11.2026 11/29/2026 B12 A4 H1N1 Q3 V2 24h 5G
"""
_WORD = re.compile(r"[^\W_]+")
_RUN = re.compile(r"[0-9]+|[A-Za-z]+|[^0-9A-Za-z]+")


class IdentifierRefused(ValueError):
    """An identifier of the site cannot be used; the message names it and says why, never an example."""


@dataclass(frozen=True)
class SiteIdentifier:
    """`pattern` in RE2's syntax, or at least three `examples`; with `words` a value counts only beside one of them."""

    name: str
    type: str
    pattern: str | None = None
    examples: Sequence[str] = ()
    words: Sequence[str] = ()


@dataclass(frozen=True)
class _Compiled:
    type: str
    form: re2._Regexp
    words: frozenset[str]


class SitePatterns:
    """The identifiers of one site, compiled and tested; thread-safe."""

    def __init__(self, identifiers: Iterable[SiteIdentifier] = ()) -> None:
        """Raises IdentifierRefused."""
        self._compiled = [_compiled(identifier) for identifier in identifiers]
        if len(self._compiled) > IDENTIFIERS_MAX:
            raise IdentifierRefused(f"a site has at most {IDENTIFIERS_MAX} identifiers of its own")

    def scan(self, text: str) -> Iterator[Span]:
        """Values of the site's identifiers, each a whole word or number; they may overlap."""
        # Half of a surrogate pair is no text, but somebody may send it.
        readable = text if text.isascii() else text.encode(errors="replace").decode()
        for compiled in self._compiled:
            for start, end in _values(compiled.form, readable):
                if not compiled.words or compiled.words & _beside(readable, start, end):
                    yield Span(compiled.type, start, end, SCORE)


def inferred(examples: Sequence[str]) -> str:
    """The form of the examples: "KD-100234", "KD-000017", "KD-993310" → `KD[ ./-]?[0-9]{6}`.

    Letters that all examples share stand for themselves; lengths may differ; between groups another sign may stand, or
    none. Raises IdentifierRefused.
    """
    if not EXAMPLES_MIN <= len(set(examples)) <= EXAMPLES_MAX:
        raise IdentifierRefused(f"needs {EXAMPLES_MIN} to {EXAMPLES_MAX} different examples")
    if any(not 1 <= len(example.strip()) <= EXAMPLE_CHARS_MAX for example in examples):
        raise IdentifierRefused(f"an example has 1 to {EXAMPLE_CHARS_MAX} characters")
    split = [_RUN.findall(example.strip()) for example in examples]
    if len({tuple(map(_sort, runs)) for runs in split}) != 1:
        raise IdentifierRefused(
            "the examples do not have one form: give a pattern, or an identifier for each form"
        )
    return "".join(_form(runs) for runs in zip(*split, strict=True))


def _sort(run: str) -> str:
    return "digits" if run[0] in "0123456789" else "letters" if run.isascii() and run.isalpha() else "signs"


def _form(runs: Sequence[str]) -> str:
    sort = _sort(runs[0])
    if sort == "signs":
        return (
            "[ ./-]?"
            if all(run in " ./-" for run in runs)
            else f"(?:{'|'.join(sorted(map(re2.escape, set(runs))))})"
        )
    same = {run.upper() for run in runs}
    if sort == "letters" and len(same) == 1:
        return f"(?i:{runs[0]})"
    shortest, longest = min(map(len, runs)), max(map(len, runs))
    times = f"{{{shortest}}}" if shortest == longest else f"{{{shortest},{longest}}}"
    return ("[0-9]" if sort == "digits" else "[A-Za-z]") + times


def _compiled(identifier: SiteIdentifier) -> _Compiled:
    """Raises IdentifierRefused, with the identifier's name."""
    try:
        if identifier.type not in ENTITY_TYPES:
            raise IdentifierRefused(f"type must be one of {', '.join(sorted(ENTITY_TYPES))}")
        if (identifier.pattern is None) == (not identifier.examples):
            raise IdentifierRefused("needs a pattern or examples, and not both")
        pattern = inferred(identifier.examples) if identifier.pattern is None else identifier.pattern
        form = _form_of(pattern)
        words = frozenset(word.lower() for phrase in identifier.words for word in _WORD.findall(phrase))
        _require_particular(form, words)
        for example in identifier.examples:
            if (0, len(example.strip())) not in _values(form, example.strip()):
                raise IdentifierRefused("an example is not found by the form of all of them: give a pattern")
    except IdentifierRefused as refusal:
        raise IdentifierRefused(f"{identifier.name}: {refusal}") from None
    return _Compiled(identifier.type, form, words)


def _form_of(pattern: str) -> re2._Regexp:
    if len(pattern) > PATTERN_CHARS_MAX:
        raise IdentifierRefused(f"a pattern has at most {PATTERN_CHARS_MAX} characters")
    options = re2.Options()
    options.max_mem = PATTERN_BYTES_MAX
    options.log_errors = False
    try:
        form = re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise IdentifierRefused(
            f"the pattern is not one of RE2 ({reason}); it has no look-around and no back-references"
        ) from None
    if form.search("") or form.fullmatch(" "):
        raise IdentifierRefused("the pattern fits an empty text")
    return form


def _require_particular(form: re2._Regexp, words: frozenset[str]) -> None:
    """Refuses a form that is found in ordinary text. One of digits alone may be, where words must stand beside it."""
    for start, end in _values(form, _ORDINARY):
        value = _ORDINARY[start:end]
        if not any(map(str.isdigit, value)):
            raise IdentifierRefused(f'the form is too general: it fits the ordinary word "{value}"')
        if not words:
            raise IdentifierRefused(
                f'the form is too general: it fits a number of every text such as "{value}";'
                " give words that stand beside the identifier"
            )


def _values(form: re2._Regexp, text: str) -> list[tuple[int, int]]:
    """Where the form is found as a whole word: no letter or digit goes on before or behind it."""
    return [
        match.span()
        for match in form.finditer(text)
        if match.end() > match.start()
        and not (match.start() and text[match.start() - 1].isalnum() and text[match.start()].isalnum())
        and not (match.end() < len(text) and text[match.end()].isalnum() and text[match.end() - 1].isalnum())
    ]


def _beside(text: str, start: int, end: int) -> frozenset[str]:
    around = text[max(0, start - CHARS_BESIDE_MAX) : start], text[end : end + CHARS_BESIDE_MAX]
    return frozenset(word.lower() for part in around for word in _WORD.findall(part))


NO_SITE_PATTERNS = SitePatterns()
