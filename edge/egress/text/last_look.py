"""Belt and braces: what is about to go, looked at once more, without a model. Pure but for the validators' tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from edge.egress.text.handover import Part, Source
from edge.egress.text.masking_check import Values, still_holds
from edge.privacy.policy import Action, Policy, Request, decide_under
from models.detect.detector import Finding
from models.detect.label import label_of


def by_source(parts: Sequence[Part], findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """What was found in the customer's words and the staff's documents, and in what is public."""
    own: list[Finding] = []
    published: list[Finding] = []
    for part, finding in zip(parts, findings, strict=True):
        (published if part.source is Source.PUBLIC else own).append(finding)
    return own, published


def types_of(findings: Sequence[Finding]) -> frozenset[str]:
    """All types that were found."""
    return frozenset(span.type for finding in findings for span in finding.spans)


def stays_because(
    policies: Sequence[Policy],
    request: Request,
    parts: Sequence[Part],
    left: Sequence[str],
    values: Values,
    forms: Callable[[Part, str], Finding],
) -> str:
    """Why what is `left` of the parts, without what stands for values, may not go; empty where it may.

    No value that was hidden stands in it, and none with a form unless the policies let it stand there.
    `forms`: what has a form in what is left of a part.
    """
    if any(still_holds(text, values) for text in left):
        return "masked_value"
    own, published = by_source(parts, [forms(part, text) for part, text in zip(parts, left, strict=True)])
    # The label too: a detector that loses what it found would call the text public.
    label = max((request.label, *(label_of(finding.spans, special=False) for finding in own)))
    asked = replace(request, label=label, types=types_of(own), document_types=types_of(published))
    return "" if decide_under(policies, asked).action is Action.ALLOW else "unmasked_form"
