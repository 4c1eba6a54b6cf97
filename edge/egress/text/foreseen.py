"""Would the policy let a turn's text go to the control plane? Told from what the turn has found already.

So that an answer is not left to a way on which the guard would stop it. It scans nothing, seals nothing and permits
nothing: the guard (`edge.egress.text.guard`) decides, on the whole text, once that is to go.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlite_utils import Database

from core.errors import PosternError
from edge.egress.text.masking_check import without
from edge.egress.text.one_language import one_language
from edge.privacy.hours import minute_of_week
from edge.privacy.policies import Policies
from edge.privacy.policy import (
    Action,
    Documents,
    Purpose,
    PurposeRules,
    Request,
    Spent,
    decide_under,
    permits_anything,
    some_language_passes,
)
from edge.store import text_uses
from edge.store.store import Store
from models.detect.detector import Finding
from models.detect.label import highest
from models.detect.rates import Rates

log = logging.getLogger(__name__)

_PURPOSE = Purpose.OVERFLOW


class Foreseen:
    """Used from one event loop."""

    def __init__(
        self,
        store: Store,
        policies: Policies,
        rates: Rates,
        language_of: Callable[[str], str | None],
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """`language_of`: ISO 639-1 of a text, None in doubt. `now`: in the site's own time."""
        self._store = store
        self._policies = policies
        self._rates = rates
        self._language_of = language_of
        self._now = now

    def possible(self) -> bool:
        """Whether any text at all could go."""
        return bool(self._rules())

    def asks_customers(self) -> bool:
        """Whether none goes without the customer's consent."""
        return any(rules.consent for rules in self._rules())

    async def refusal(self, session: str, text: str, found: Finding, size: int) -> str:
        """Why `text`, in which `found` was found, would not go, as a short code; empty where it would.

        `size`: bytes of all that would go with it, about.
        """
        try:
            policies = self._policies.in_force()
            known = await self._store.read(partial(_known, session=session))
        except PosternError as error:
            return error.code
        except Exception as error:  # a disk that fails, too: it is no reason for a turn to end
            log.error("it could not be foreseen", extra={"error": type(error).__name__})
            return "failed"
        if known is None:
            return "session"
        if session in self._store.off_record:
            return "off_record"
        decision = decide_under(policies, self._request(text, found, size, *known))
        return decision.rule if decision.action is Action.REFUSE else ""

    def _rules(self) -> list[PurposeRules]:
        """Of all policies in force; none where one of them lets nothing pass, be it for what the detector misses."""
        try:
            policies = self._policies.in_force()
        except PosternError:
            return []
        if not permits_anything(policies, _PURPOSE):
            return []
        found = [rules for policy in policies if (rules := policy.rules(_PURPOSE))]
        return found if all(some_language_passes(rules, self._rates) for rules in found) else []

    def _request(
        self, text: str, found: Finding, size: int, known: text_uses.Conversation, spent: Spent
    ) -> Request:
        now = self._now()
        language = one_language([without(text, found.spans)], self._language_of)
        measured = self._rates.of(language) if found.complete else None
        return Request(
            purpose=_PURPOSE,
            label=found.label,
            seen=highest(known.labels),
            types=frozenset(found.types),
            language=language,
            miss_rate=measured.at_most if measured else None,
            consent=known.consent,
            documents=Documents.PUBLIC if known.audience == "public" else Documents.STAFF,
            day=now.date(),
            minute=minute_of_week(now),
            size=size,
            spent=spent,
            complete=found.complete,
        )


def _known(db: Database, session: str) -> tuple[text_uses.Conversation, Spent] | None:
    """What is known of a conversation, and what it and all others have spent."""
    conversation = text_uses.conversation(db, session)
    if conversation is None:
        return None
    return conversation, Spent(*text_uses.spent(db, _PURPOSE, session, time.time_ns() // 1_000_000))
