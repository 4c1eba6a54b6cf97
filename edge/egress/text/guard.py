"""The guard of free text: scan, policy, pseudonyms, one more look, budget, seal; anything that goes wrong refuses.

There is no way around a step and none that is left out quietly: a refusal is what comes of a detector that fails, hangs
or tells nonsense, a policy that is not there, a store that is full, a budget that is used up. Where the policy in force
treats every text alike whatever is found in it (a site's own language model may be given questions as they are),
nothing is looked for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final

from sqlite_utils import Database

from core.errors import PosternError
from edge.egress import envelope, metrics
from edge.egress.envelope import ENVELOPE_BYTES_MAX, IDENTIFIER_BYTES, SALT_BYTES, Envelope, seal
from edge.egress.overflow import request as overflow_request
from edge.egress.overflow.order import GENERATE
from edge.egress.text.handover import Admitted, Handover, Part, Source, TextRefusal
from edge.egress.text.known_values import values_of, with_known, with_known_left
from edge.egress.text.last_look import stays_because
from edge.egress.text.looking import NOT_LOOKED, Instruments, Look, Looking
from edge.egress.text.masking_check import NOTHING_HIDDEN, Hidden, Unbelievable, Values, hide
from edge.privacy.hours import minute_of_week
from edge.privacy.policies import Policies
from edge.privacy.policies_used import PoliciesUsed
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
from edge.privacy.pseudonyms.pseudonyms import Pseudonyms
from edge.privacy.pseudonyms.vault import Vault
from edge.store import pseudonym_rows, text_uses
from edge.store.pseudonym_rows import PseudonymRow
from edge.store.store import Store
from edge.store.subjects import SubjectKey, load_key
from models.detect.confusables import seen
from models.detect.detector import Finding
from models.detect.label import Label, highest
from models.detect.marks import without_marks

log = logging.getLogger(__name__)

ADMIT_S_MAX: Final = 10.0
"""Of everything together: store and vault answer in milliseconds, or not at all."""


@dataclass(frozen=True, slots=True)
class _Bill:
    """What is to be taken out of the budgets. `label`: what sticks to the conversation. `before`: what was spent."""

    policies: Sequence[Policy]
    request: Request
    session: str
    label: Label
    at_ms: int
    sent: text_uses.Sent | None
    before: text_uses.SpentBefore | None


@dataclass(frozen=True, slots=True)
class _Masked:
    """The parts as they go. `pseudonyms`: None where nothing was replaced."""

    texts: Sequence[str] = field(repr=False)
    hidden: Hidden = field(repr=False)
    pseudonyms: Pseudonyms | None = None


class _Refused(Exception):
    def __init__(self, reason: str, rule: str = "") -> None:
        super().__init__(reason)
        self.refusal = TextRefusal(reason, rule)


class TextGuard:
    """Used from one event loop."""

    def __init__(
        self,
        key: bytes,
        store: Store,
        policies: Policies,
        policies_used: PoliciesUsed,
        vault: Vault,
        instruments: Instruments,
        now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
    ) -> None:
        """`key`: of envelopes. `now`: in the site's own time."""
        self._key = key
        self._store = store
        self._policies = policies
        self._policies_used = policies_used
        self._vault = vault
        self._forms = partial(instruments.forms, trade=False)
        self._looking = Looking(instruments)
        self._now = now
        self._spent: dict[Purpose, text_uses.SpentBefore] = {}
        """As the last text left it, of what is durable."""

    async def admit(self, asked: Handover, within_s: float = ADMIT_S_MAX) -> Admitted | TextRefusal:
        """The text as it may go, or why it may not. Raises nothing but the caller's own cancellation.

        `within_s`: what the caller has left; it never gets more than ADMIT_S_MAX.
        """
        try:
            async with asyncio.timeout(min(within_s, ADMIT_S_MAX)):
                return await self._admitted(asked)
        except _Refused as refused:
            refusal = refused.refusal
        except Unbelievable:
            refusal = TextRefusal("detector")
        except TimeoutError:
            refusal = TextRefusal("late")
        except PosternError as error:
            refusal = TextRefusal(error.code)
        except Exception as error:  # its message may quote what it choked on
            log.error("the text guard failed", extra={"error": type(error).__name__})
            refusal = TextRefusal("failed")
        metrics.REFUSED.labels(refusal.reason).inc()
        return refusal

    async def look(self, parts: Sequence[Part]) -> Look:
        """What is in the parts. Raises PosternError, Unbelievable, or whatever the detector raises."""
        return await self._looking.look(parts)

    def forms(self, text: str) -> Finding:
        """What has a form, without a model, as for the last look."""
        return self._forms(text)

    async def _admitted(self, asked: Handover) -> Admitted:
        policies = self._policies.in_force()
        leaves = asked.purpose is Purpose.OVERFLOW
        if leaves:
            asked = _as_seen(asked)
        if leaves and not overflow_request.fits(asked):
            raise _Refused("shape")
        if _bytes(part.text for part in asked.parts) > ENVELOPE_BYTES_MAX:
            raise _Refused("size")
        known, key, pseudonyms = await self._known(asked)
        asked = _with_staffs_own(asked, known)
        looked = await self.look(asked.parts) if reads_text(policies, asked.purpose) else NOT_LOOKED
        known_before: Values = {}
        if leaves and looked is not NOT_LOOKED:
            # What was hidden in this conversation before is hidden again where the detector does not see it now.
            known_before = values_of(pseudonyms.entries)
            looked = with_known(asked.parts, looked, known_before)
        request = self._request(asked, known, looked)
        decision = decide_under(policies, request)
        if decision.action is Action.REFUSE:
            await self._note_refused(request, asked.session)
            raise _by_policy(decision)
        masked = _masked(asked, looked, decision, pseudonyms)
        left = [without_marks(text) for text in masked.texts] if masked.pseudonyms else masked.texts
        look_again = with_known_left(self._looking.forms_left, known_before)
        if looked is not NOT_LOOKED and (
            reason := stays_because(policies, request, asked.parts, left, masked.hidden.values, look_again)
        ):
            raise _Refused(reason)
        payload = overflow_request.packed(asked, masked.texts) if leaves else b""
        size = len(payload) if leaves else _bytes(masked.texts)
        if size > ENVELOPE_BYTES_MAX:
            raise _Refused("size")
        # The policy may have changed while the text was looked at.
        now_in_force = self._policies.in_force()
        if looked is NOT_LOOKED and reads_text(now_in_force, asked.purpose):
            raise _Refused("policy_changed")
        label = Label.PUBLIC if looked is NOT_LOOKED else request.label
        paper, sent = None, None
        if leaves:
            paper = await self._envelope(payload, now_in_force, label)
            sent = text_uses.sealed_salt(key, paper.identifier.hex(), paper.salt)
        bill = _Bill(
            now_in_force,
            replace(request, size=size),
            asked.session,
            label,
            _now_ms(),
            sent,
            self._spent.get(asked.purpose),
        )
        await self._paid(bill, decision, masked, key)
        return Admitted(tuple(masked.texts), paper and seal(paper, self._key), masked.pseudonyms)

    async def _envelope(self, payload: bytes, policies: Sequence[Policy], label: Label) -> Envelope:
        policy = self._policies_used.noted(policies)
        if policy is None:
            policy = await asyncio.to_thread(self._policies_used.note, policies)
        return Envelope(
            os.urandom(IDENTIFIER_BYTES),
            envelope.Purpose.OVERFLOW,
            GENERATE,
            payload,
            verdict=str(label),
            policy=policy,
            salt=os.urandom(SALT_BYTES),
        )

    async def _known(self, asked: Handover) -> tuple[text_uses.Conversation, SubjectKey, Pseudonyms]:
        """A conversation, the key of whose it is, and its pseudonyms: all in one read."""
        session, purpose = asked.session, asked.purpose
        marks = None if self._vault.holds(session, purpose) else purpose
        known, key, rows = await self._store.read_both(partial(_known, session=session, marks=marks))
        if known is None:
            raise _Refused("session")
        self._require_on_record(session)
        if key is None:  # shredded: the conversation is over
            raise _Refused("session")
        return known, key, await self._vault.open(session, key, purpose, rows)

    async def _paid(self, bill: _Bill, decision: Decision, masked: _Masked, key: SubjectKey) -> None:
        """What goes, out of the budgets, and its marks on the disk, in one transaction."""
        pay, marks = partial(_pay, bill=bill), masked.pseudonyms
        paid, spent = await (self._vault.keep(marks, key, pay) if marks else self._store.write(pay))
        if spent:
            self._spent[bill.request.purpose] = spent
        if paid.action is Action.REFUSE or not paid.redact <= decision.redact:
            raise _by_policy(paid)
        self._require_on_record(bill.session)

    def _require_on_record(self, session: str) -> None:
        """What the rows tell of a conversation is all there is to know: neither consent nor label is missing."""
        if session in self._store.off_record:
            raise _Refused("off_record")

    def _request(self, asked: Handover, known: text_uses.Conversation, looked: Look) -> Request:
        now = self._now()
        return Request(
            purpose=asked.purpose,
            label=looked.label,
            seen=highest(known.labels),
            types=looked.types,
            language=looked.language,
            miss_rate=looked.miss_rate,
            consent=known.consent,
            complete=looked.complete,
            documents=_documents(asked, known),
            day=now.date(),
            minute=minute_of_week(now),
            size=_bytes(part.text for part in asked.parts),
            document_types=looked.document_types,
        )

    async def _note_refused(self, request: Request, session: str) -> None:
        """So that a label sticks also where the turn never ends."""
        if request.label > request.seen:
            noted = partial(
                text_uses.note_label,
                purpose=request.purpose,
                session=session,
                label=request.label,
                at_ms=_now_ms(),
            )
            await self._store.write(noted)


def _known(
    db: Database, keys: Database, session: str, marks: str | None
) -> tuple[text_uses.Conversation | None, SubjectKey | None, Sequence[PseudonymRow] | None]:
    """With the sealed pseudonyms of the purpose `marks`, if any."""
    known = text_uses.conversation(db, session)
    rows = pseudonym_rows.of(db, session, marks) if known and marks else None
    return known, load_key(keys, known.subject) if known else None, rows


def _pay(db: Database, bill: _Bill) -> tuple[Decision, text_uses.SpentBefore | None]:
    """Decide once more by what is spent now, and take it out of the budgets in the same transaction; with what is spent
    then, where it is."""
    request, purpose = bill.request, bill.request.purpose
    known = text_uses.conversation(db, bill.session)
    if known is None:
        raise _Refused("session")
    now = replace(request, seen=max(request.seen, highest(known.labels)), consent=known.consent)
    decision, spent = Decision(Action.REFUSE, ""), Spent()
    if bill.before and bill.before.at_ms <= bill.at_ms:
        spent = Spent(*text_uses.spent_at_most(db, purpose, bill.session, bill.before))
        decision = decide_under(bill.policies, replace(now, spent=spent))
    if decision.action is Action.REFUSE:
        spent = Spent(*text_uses.spent(db, purpose, bill.session, bill.at_ms))
        decision = decide_under(bill.policies, replace(now, spent=spent))
    if decision.action is Action.REFUSE:
        return decision, None
    row = text_uses.add(db, purpose, bill.session, bill.label, request.size, bill.at_ms, bill.sent)
    return decision, text_uses.SpentBefore(
        row, bill.at_ms, spent.hour + request.size, spent.day + request.size
    )


def _masked(asked: Handover, looked: Look, decision: Decision, pseudonyms: Pseudonyms) -> _Masked:
    """The parts as they go, each value that was found replaced wherever it stands."""
    texts = [part.text for part in asked.parts]
    if decision.action is Action.ALLOW:
        return _Masked(texts, NOTHING_HIDDEN)
    hidden = hide(texts, looked.findings, decision.redact)
    masked = [pseudonyms.mask(text, spans) for text, spans in zip(texts, hidden.spans, strict=True)]
    return _Masked(masked, hidden, pseudonyms)


def _by_policy(decision: Decision) -> _Refused:
    """A closed list of reasons for the metric: the line of the policy, without purpose and type."""
    line = decision.rule.split(".")
    return _Refused(f"policy_{line[1] if len(line) > 1 else line[0]}", decision.rule)


def _as_seen(asked: Handover) -> Handover:
    """Without what no reader sees: most texts as they are."""
    texts = [seen(part.text) for part in asked.parts]
    if all(text == part.text for text, part in zip(texts, asked.parts, strict=True)):
        return asked
    parts = (replace(part, text=text) for part, text in zip(asked.parts, texts, strict=True))
    return replace(asked, parts=tuple(parts))


def _with_staffs_own(asked: Handover, known: text_uses.Conversation) -> Handover:
    """A conversation of staff is answered from the staff's documents, too: there nothing counts as published."""
    if known.audience == "public":
        return asked
    theirs = (
        replace(part, source=Source.STAFF) if part.source is Source.PUBLIC else part for part in asked.parts
    )
    return replace(asked, parts=tuple(theirs))


def _documents(asked: Handover, known: text_uses.Conversation) -> Documents:
    """Whose documents go along; a conversation of staff is answered from the staff's."""
    staff = known.audience != "public" or any(part.source is Source.STAFF for part in asked.parts)
    return Documents.STAFF if staff and asked.documents is not Documents.NONE else asked.documents


def _bytes(texts: Iterable[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
