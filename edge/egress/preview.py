"""What would become of a text, for each purpose, under a policy; nothing goes, and nothing is kept. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from edge.egress.text_guard import Look, minute_of_week
from edge.privacy.policy import (
    Action,
    Decision,
    Documents,
    Policy,
    Purpose,
    Request,
    Spent,
    decide_under,
)
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
    failure: str = "",
) -> list[Preview]:
    """As the first text of a conversation whose customer has agreed, without passages.

    `failure`: why there is no policy to go by.
    """
    found = []
    for purpose in Purpose:
        request = _request(purpose, looked, spent.get(purpose, Spent()), now, len(text.encode()))
        decision = Decision(Action.REFUSE, failure) if failure else decide_under(policies, request)
        rules = [policy.rules(purpose) for policy in policies]
        consent = any(one.consent for one in rules if one)
        goes = None if decision.action is Action.REFUSE else _redacted(text, looked, decision)
        found.append(Preview(purpose, decision.action, decision.rule, consent, goes))
    return found


def _redacted(text: str, looked: Look, decision: Decision) -> str:
    return redact(text, [span for span in looked.findings[0].spans if span.type in decision.redact])


def _request(purpose: Purpose, looked: Look, spent: Spent, now: datetime, size: int) -> Request:
    return Request(
        purpose=purpose,
        label=looked.label,
        seen=Label.PUBLIC,
        types=looked.types,
        language=looked.language,
        miss_rate=looked.miss_rate,
        consent=True,
        documents=Documents.NONE,
        day=now.date(),
        minute=minute_of_week(now),
        size=size,
        spent=spent,
    )
