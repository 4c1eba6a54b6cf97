"""What was hidden once in a conversation is hidden again wherever it stands, whatever the detector says. Pure.

A name that was said in a sentence of its own is easily found; said again among other words it may be missed. The
conversation's vault knows it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from edge.egress.text.handover import Part, Source
from edge.egress.text.last_look import by_source, types_of
from edge.egress.text.looking import Look
from edge.egress.text.masking_check import Values, known_values, standing
from edge.privacy.pseudonyms.token import Token
from models.detect.detector import Finding
from models.detect.label import label_of

_WORD: Final = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*")


def values_of(entries: Iterable[Token]) -> Values:
    """What to look for: every value, and of a person's name also the words behind the first, by which somebody is
    called again, and either half of these ("Miller-Jones")."""
    return known_values(
        (entry.type, value) for entry in entries for value in (entry.value, *_called_by(entry))
    )


def with_known(parts: Sequence[Part], looked: Look, values: Values) -> Look:
    """The look, with whatever of `values` stands in the parts. What is published stays as it is: it tells nothing new.

    Its findings may overlap: of a name the detector may see a half, as something else, and the policy goes by both.
    """
    if not values:
        return looked
    findings = tuple(
        _with(part, part.text, finding, values) for part, finding in zip(parts, looked.findings, strict=True)
    )
    own, _ = by_source(parts, findings)
    label = max((looked.label, *(finding.label for finding in own)))
    return replace(looked, findings=findings, label=label, types=types_of(own))


def with_known_left(forms: Callable[[Part, str], Finding], values: Values) -> Callable[[Part, str], Finding]:
    """`forms` of what is left of a part, with whatever of `values` stands in it after all."""
    return lambda part, left: _with(part, left, forms(part, left), values)


def _with(part: Part, text: str, finding: Finding, values: Values) -> Finding:
    """`text`: of the part, or what is left of it."""
    if part.source is Source.PUBLIC:
        return finding
    spans = (*finding.spans, *standing(text, values))
    return Finding(spans, max(finding.label, label_of(spans, special=False)), finding.complete)


def _called_by(entry: Token) -> tuple[str, ...]:
    """The words with a capital behind the first, or the last word: the detector may have taken in a word or a sign too
    many ("Anna Miller here")."""
    words = _WORD.findall(entry.value) if entry.type == "PERSON" else []
    behind = words[1:] or words
    names = [word for word in behind if word[0].isupper()] or behind[-1:]
    return tuple(part for name in names for part in (name, *name.split("-")))
