"""What would become of a text, for each purpose, under a policy; nothing goes, and nothing is kept. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.egress.text.handover import Part, Source
from edge.egress.text.last_look import stays_because
from edge.egress.text.looking import Look
from edge.egress.text.masking_check import hide, without
from edge.privacy.hours import minute_of_week
from edge.privacy.policy import (
    Action,
    Decision,
    Documents,
    Policy,
    Purpose,
    Request,
    Spent,
    decide_under,
    reads_text,
)
from models.detect.detector import Finding
from models.detect.label import Label
from models.detect.spans import redact


@dataclass(frozen=True, slots=True)
class Preview:
    """For one purpose. `text`: what would go; None where nothing would. `consent`: whether the customer must agree."""

    purpose: Purpose
    action: Action
    rule: str
    consent: bool
    text: str | None


def previews(
    text: str,
    looked: Look,
    policies: Sequence[Policy],
    spent: Mapping[Purpose, Spent],
    now: datetime,
    forms: Callable[[str], Finding],
    failure: str = "",
) -> list[Preview]:
    """As the first text of a conversation whose customer has agreed, without passages; by the guard's own steps, up to
    the last look, with types in the place of marks.

    `forms`: what has a form. `failure`: why there is no policy to go by. Raises CannotMask.
    """
    found = []
    for purpose in Purpose:
        request = _request(purpose, looked, spent.get(purpose, Spent()), now, len(text.encode()))
        decision = Decision(Action.REFUSE, failure) if failure else decide_under(policies, request)
        rules = [policy.rules(purpose) for policy in policies]
        consent = any(one.consent for one in rules if one)
        goes = None
        if decision.action is not Action.REFUSE:
            hidden = hide([text], looked.findings, decision.redact)
            left, part = without(text, hidden.spans[0]), Part(text, Source.CUSTOMER)
            goes = redact(text, hidden.spans[0])
            reads = reads_text(policies, purpose)
            if reads and (
                reason := stays_because(
                    policies, request, [part], [left], hidden.values, lambda _, text: forms(text)
                )
            ):
                decision, goes = Decision(Action.REFUSE, reason), None
        found.append(Preview(purpose, decision.action, decision.rule, consent, goes))
    return found


def _request(purpose: Purpose, looked: Look, spent: Spent, now: datetime, size: int) -> Request:
    return Request(
        purpose=purpose,
        label=looked.label,
        seen=Label.PUBLIC,
        types=looked.types,
        language=looked.language,
        miss_rate=looked.miss_rate,
        complete=looked.complete,
        consent=True,
        documents=Documents.NONE,
        day=now.date(),
        minute=minute_of_week(now),
        size=size,
        spent=spent,
    )
