"""What text may be handed on, for which purpose, and which of two policies is the stricter one. Pure.

A policy is TOML that the site's own key signs (`policy_files`). What it does not name is refused. A request is judged
under the site's policy and, where the control plane has sent one, under that as well: it passes only what both permit,
so that the control plane can tighten and never loosen.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from core.errors import ConfigError
from edge.privacy.hours import minutes_of
from models.detect.entity_types import ENTITY_TYPES
from models.detect.label import Label
from models.detect.rates import Rates

POLICY_BYTES_MAX: Final = 32 * 1024
"""The largest pack has 4 KiB, most of it comments; the desired state that may carry one has 64 KiB."""


class Purpose(StrEnum):
    """What text is handed on for."""

    OVERFLOW = "overflow"
    """The control plane's language model writes an answer."""
    LAN_LLM = "lan_llm"
    """A language model on another machine of the site does (`models.llm_server`)."""
    TICKET = "ticket"
    """Words of the customer in the mail or webhook that tells staff of a ticket."""


class Action(StrEnum):
    """What becomes of a text, or of one value in it; in this order."""

    ALLOW = "allow"
    REDACT = "redact"
    REFUSE = "refuse"


class Risk(StrEnum):
    """How much the detector may miss, at most, in the language of the text: of names, of addresses, of all the rest."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    ANY = "any"
    """Not asked: also a language that was never measured. Not for what leaves the site."""


MISS_RATE_MAX: Final = {Risk.LOW: 0.01, Risk.MODERATE: 0.05, Risk.HIGH: 0.1}
"""Upper end of the 95 % interval of the measured miss rate of what is found worst (`models.detect.rates`). Chosen, for
people to choose among: one value in a hundred, in twenty, in ten."""


class Documents(StrEnum):
    """Passages of which documents may go along; in this order."""

    NONE = "none"
    PUBLIC = "public"
    STAFF = "staff"


_ACTIONS, _RISKS, _DOCUMENTS = tuple(Action), tuple(Risk), tuple(Documents)


class BadPolicy(ConfigError):
    """A policy does not fit its form."""

    code = "bad_policy"
    title = "This is no policy that Postern understands"
    remedy = "Correct what is named; docs/privacy.md explains each line of a policy."
    status = 400


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Language = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Bytes = Annotated[int, Field(ge=0, le=10**12)]


class PurposeRules(_Section):
    """The rules for one purpose. Labels and types that are not named: refused, and as the label says."""

    public: Action = Action.REFUSE
    internal: Action = Action.REFUSE
    personal: Action = Action.REFUSE
    special: Action = Action.REFUSE
    # From this label on the rest of the conversation counts as what it once was.
    sticky_from: Label = Label.SPECIAL
    types: dict[str, Action] = {}
    languages: Annotated[tuple[Language, ...], Field(max_length=100)] | Literal["all"]
    risk: Risk
    documents: Documents = Documents.NONE
    consent: bool = True
    hours: Annotated[tuple[str, ...], Field(max_length=50)]
    bytes_per_hour: Bytes
    bytes_per_day: Bytes
    bytes_per_session: Bytes

    @field_validator("types")
    @classmethod
    def _known_types(cls, types: dict[str, Action]) -> dict[str, Action]:
        if unknown := types.keys() - ENTITY_TYPES:
            raise ValueError(f"{len(unknown)} of the types are none that the detector knows")
        return types

    @model_validator(mode="after")
    def _in_order(self) -> PurposeRules:
        ranks = [_ACTIONS.index(self.of_label(label)) for label in Label]
        if ranks != sorted(ranks):
            raise ValueError(
                "a more sensitive label must not be treated more freely than a less sensitive one"
            )
        minutes_of(self.hours)
        return self

    @cached_property
    def minutes(self) -> int:
        """The minutes of a week in which text may go, as bits."""
        return minutes_of(self.hours)

    @property
    def content_blind(self) -> bool:
        """Whether a text goes as it is whatever is found in it."""
        plain = self.public, self.internal, self.personal, self.special, *self.types.values()
        return self.languages == "all" and self.risk is Risk.ANY and set(plain) == {Action.ALLOW}

    def of_label(self, label: Label) -> Action:
        """What is done with a text of this label."""
        action: Action = getattr(self, label.value)
        return action

    def of_type(self, type_: str, label: Label) -> Action:
        """What is done with a value of this type in a text of this label."""
        by_label = self.of_label(label)
        return by_label if by_label is Action.REFUSE else self.types.get(type_, by_label)

    def label_in_force(self, label: Label, seen: Label) -> Label:
        """The label of a text in a conversation in which `seen` was the most sensitive one."""
        return max(label, seen) if seen >= self.sticky_from else label


class Policy(_Section):
    """A policy. A purpose that is absent is refused."""

    format: Literal[1]
    name: str = Field(min_length=1, max_length=80)
    # The last day on which it holds.
    valid_until: date
    overflow: PurposeRules | None = None
    lan_llm: PurposeRules | None = None
    ticket: PurposeRules | None = None

    @model_validator(mode="after")
    def _what_leaves_is_measured(self) -> Policy:
        if self.overflow and self.overflow.risk is Risk.ANY:
            raise ValueError('overflow leaves the site: risk = "any" is not for it')
        return self

    def rules(self, purpose: Purpose) -> PurposeRules | None:
        """The rules for a purpose; None where it is refused altogether."""
        found: PurposeRules | None = getattr(self, purpose.value)
        return found


@dataclass(frozen=True, slots=True)
class Spent:
    """Bytes handed on for the purpose before: in the last hour and day, and in this conversation."""

    hour: int = 0
    day: int = 0
    session: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a text that should be handed on. Nothing of the text itself.

    language   ISO 639-1; None when it could not be told
    miss_rate  upper end of what was measured for it where it is worst, 0 to 1; None when it was not
    minute     of the site's own week, from Monday 00:00; 0 to 10,079
    size       bytes that would go
    complete   whether names were looked for, too; if not, nothing goes that is not free of all rules
    types, document_types  what was found in the customer's words, and in passages of public documents

    Passages of the staff's documents count as the customer's words.
    """

    purpose: Purpose
    label: Label
    seen: Label
    types: frozenset[str]
    language: str | None
    miss_rate: float | None
    consent: bool
    documents: Documents
    day: date
    minute: int
    size: int
    spent: Spent = Spent()
    document_types: frozenset[str] = frozenset()
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a text. `rule`: the line of the policy that decided. `redact`: types to replace."""

    action: Action
    rule: str
    redact: frozenset[str] = frozenset()


NO_POLICY: Final = Decision(Action.REFUSE, "policy")


def parse(text: str) -> Policy:
    """A policy from TOML. Raises BadPolicy, which repeats no values."""
    if len(text.encode()) > POLICY_BYTES_MAX:
        raise BadPolicy(f"A policy has at most {POLICY_BYTES_MAX} bytes.")
    try:
        return from_table(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy(f"It is not valid TOML: {error}") from None


def from_table(table: dict[str, Any]) -> Policy:
    """A policy from TOML or JSON that was read already. Raises BadPolicy."""
    try:
        return Policy.model_validate(table)
    except ValidationError as error:
        found = (f"{'.'.join(map(str, item['loc'])) or 'policy'}: {item['msg']}" for item in error.errors())
        raise BadPolicy("; ".join(found)) from None


def decide(policy: Policy, request: Request) -> Decision:
    """What `policy` says to `request`."""
    purpose, rules = request.purpose, policy.rules(request.purpose)
    if request.day > policy.valid_until:
        return Decision(Action.REFUSE, "valid_until")
    if rules is None:
        return Decision(Action.REFUSE, purpose)
    if refused := next(_refusals(rules, request), None):
        return Decision(Action.REFUSE, f"{purpose}.{refused}")
    label = rules.label_in_force(request.label, request.seen)
    redact = frozenset(type_ for type_ in request.types if rules.of_type(type_, label) is Action.REDACT)
    # Named is the label's line, unless only lines about types made it what it is.
    by_type = redact and rules.of_label(label) is Action.ALLOW
    rule = f"{purpose}.types.{min(redact)}" if by_type else f"{purpose}.{label}"
    redact |= _hidden_in_documents(rules, request)
    return Decision(Action.REDACT if redact else Action.ALLOW, rule, redact)


def decide_under(policies: Sequence[Policy], request: Request) -> Decision:
    """What all policies together say: it passes what each of them permits. Without any, nothing."""
    decisions = [decide(policy, request) for policy in policies] or [NO_POLICY]
    strictest = max(decisions, key=lambda decision: _ACTIONS.index(decision.action))
    if strictest.action is Action.REFUSE:
        return strictest
    return Decision(
        strictest.action, strictest.rule, frozenset().union(*(decision.redact for decision in decisions))
    )


def reads_text(policies: Sequence[Policy], purpose: Purpose) -> bool:
    """Whether what is found in a text can change what becomes of it."""
    found = [policy.rules(purpose) for policy in policies]
    return all(found) and not all(rules.content_blind for rules in found if rules)


def permits_anything(policies: Sequence[Policy], purpose: Purpose) -> bool:
    """Whether any text at all can be handed on for it."""
    return bool(policies) and all(_permits_anything(policy.rules(purpose)) for policy in policies)


def some_language_passes(rules: PurposeRules, rates: Rates) -> bool:
    """Whether there is a language in which the detector misses no more than is tolerated."""
    if rules.risk is Risk.ANY:
        return bool(rules.languages)
    codes = rates.language if rules.languages == "all" else rules.languages
    return any((found := rates.of(code)) and found.at_most <= MISS_RATE_MAX[rules.risk] for code in codes)


def stricter(a: Policy, b: Policy) -> bool:
    """Whether `a` permits nothing that `b` does not: what `a` lets pass, `b` lets pass with no more taken out."""
    used = [purpose for purpose in Purpose if _permits_anything(a.rules(purpose))]
    return not used or (
        a.valid_until <= b.valid_until
        and all(_rules_stricter(a.rules(purpose), b.rules(purpose)) for purpose in used)
    )


def _refusals(rules: PurposeRules, request: Request) -> Iterator[str]:
    """The lines of `rules` that refuse, in the order in which they are named."""
    label = rules.label_in_force(request.label, request.seen)
    if rules.of_label(label) is Action.REFUSE:
        yield label if rules.of_label(request.label) is Action.REFUSE else "sticky_from"
    for type_ in sorted(request.types):
        if type_ not in ENTITY_TYPES or rules.of_type(type_, label) is Action.REFUSE:
            yield f"types.{type_}" if type_ in ENTITY_TYPES else "types"
    if rules.languages != "all" and request.language not in rules.languages:
        yield "languages"
    if not request.complete and not rules.content_blind:
        yield "incomplete"
    if not _tolerated(rules.risk, request.miss_rate):
        yield "risk"
    if rules.consent and not request.consent:
        yield "consent"
    if _DOCUMENTS.index(request.documents) > _DOCUMENTS.index(rules.documents):
        yield "documents"
    if not rules.minutes >> request.minute & 1:
        yield "hours"
    spent = request.spent
    for name, before in (("hour", spent.hour), ("day", spent.day), ("session", spent.session)):
        if before + request.size > getattr(rules, f"bytes_per_{name}"):
            yield f"bytes_per_{name}"


def _hidden_in_documents(rules: PurposeRules, request: Request) -> frozenset[str]:
    """What a public document says of anybody is published already: it is never refused, and hidden as `internal` is."""
    return frozenset(
        type_ for type_ in request.document_types if rules.of_type(type_, Label.INTERNAL) is not Action.ALLOW
    )


def _tolerated(risk: Risk, miss_rate: float | None) -> bool:
    """Whether so much may be missed; what is no number was not measured."""
    return risk is Risk.ANY or (miss_rate is not None and 0 <= miss_rate <= MISS_RATE_MAX[risk])


def _permits_anything(rules: PurposeRules | None) -> bool:
    """Whether any text at all can pass."""
    return rules is not None and bool(
        rules.public is not Action.REFUSE  # the least sensitive label is refused only with all others
        and rules.languages
        and rules.minutes
        and min(rules.bytes_per_hour, rules.bytes_per_day, rules.bytes_per_session) > 0
    )


def _rules_stricter(a: PurposeRules | None, b: PurposeRules | None) -> bool:
    """For one purpose. Each line bounds something of its own, so that they can be compared one by one."""
    assert a is not None
    if b is None:
        return False
    return (
        all(_outcome_stricter(a, b, label, seen) for label, seen in product(Label, Label))
        and (b.languages == "all" or (a.languages != "all" and set(a.languages) <= set(b.languages)))
        and _RISKS.index(a.risk) <= _RISKS.index(b.risk)
        and a.consent >= b.consent
        and _DOCUMENTS.index(a.documents) <= _DOCUMENTS.index(b.documents)
        and not a.minutes & ~b.minutes
        and a.bytes_per_hour <= b.bytes_per_hour
        and a.bytes_per_day <= b.bytes_per_day
        and a.bytes_per_session <= b.bytes_per_session
    )


def _outcome_stricter(a: PurposeRules, b: PurposeRules, label: Label, seen: Label) -> bool:
    """For texts of one label in a conversation of one: by what becomes of the text, and of each type of value."""
    of_a, of_b = a.label_in_force(label, seen), b.label_in_force(label, seen)
    if a.of_label(of_a) is Action.REFUSE:
        return True
    return b.of_label(of_b) is not Action.REFUSE and all(
        _ACTIONS.index(a.of_type(type_, of_a)) >= _ACTIONS.index(b.of_type(type_, of_b))
        for type_ in ENTITY_TYPES
    )
