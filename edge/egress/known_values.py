"""What was hidden once in a conversation is hidden again wherever it stands, whatever the detector says. Pure.

A name that was said in a sentence of its own is easily found; said again among other words it may be missed. The
conversation's vault knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from edge.egress.handover import Part, Source
from edge.egress.last_look import by_source, types_of
from edge.egress.looking import Look
from edge.egress.masking_check import Values, looked_for, spread
from edge.privacy.pseudonyms.token import Token
from models.detect.detector import Finding
from models.detect.label import label_of
from models.detect.spans import Span


def values_of(entries: Iterable[Token]) -> Values:
    """What to look for: every value, and of a person's name also its last word, by which somebody is called again."""
    known = [(entry.type, value) for entry in entries for value in (entry.value, *_last_word(entry))]
    spans = [[Span(type_, 0, len(value), 1.0)] for type_, value in known]
    return looked_for([value for _, value in known], spans)


def with_known(parts: Sequence[Part], looked: Look, values: Values) -> Look:
    """The look, with whatever of `values` it did not find. What is published stays as it is: it tells nothing new."""
    if not values:
        return looked
    findings = tuple(
        finding if part.source is Source.PUBLIC else _with(part.text, finding, values)
        for part, finding in zip(parts, looked.findings, strict=True)
    )
    own, _ = by_source(parts, findings)
    label = max((looked.label, *(finding.label for finding in own)))
    return replace(looked, findings=findings, label=label, types=types_of(own))


def _with(text: str, finding: Finding, values: Values) -> Finding:
    spans = tuple(spread(text, finding.spans, values))
    return Finding(spans, max(finding.label, label_of(spans, special=False)), finding.complete)


def _last_word(entry: Token) -> tuple[str, ...]:
    words = entry.value.split()
    return (words[-1],) if entry.type == "PERSON" and len(words) > 1 else ()
