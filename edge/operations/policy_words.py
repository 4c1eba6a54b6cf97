"""A policy in sentences for a data-protection officer: each line of it, and what was measured of the detector. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge.knowledge.languages import tongues
from edge.privacy.policy import (
    MISS_RATE_MAX,
    Action,
    Documents,
    Policy,
    Purpose,
    PurposeRules,
    Risk,
    some_language_passes,
)
from models.detect.label import Label
from models.detect.rates import Rates

PURPOSES: Final = {
    Purpose.OVERFLOW: "To the control plane’s language model",
    Purpose.LAN_LLM: "To a language model on another machine of the site",
    Purpose.TICKET: "In the mail or webhook that tells staff of a ticket",
}
_TEXTS: Final = {
    Label.PUBLIC: "Texts in which nothing about anybody was found",
    Label.INTERNAL: "Texts with only a place, a company, a date, an age or the like",
    Label.PERSONAL: "Texts by which somebody can be told",
    Label.SPECIAL: "Texts about health, belief, origin, sexuality or a union",
}
_LABELLED: Final = {
    Label.PUBLIC: "tells nothing about anybody",
    Label.INTERNAL: "tells only of places, companies, dates, ages or the like",
    Label.PERSONAL: "may tell who somebody is",
    Label.SPECIAL: "is about health, belief, origin, sexuality or a union",
}
_BECOME: Final = {
    Action.ALLOW: "go as they are",
    Action.REDACT: "go with what was found replaced",
    Action.REFUSE: "stay here",
}
_TYPES: Final = {
    Action.ALLOW: "Not replaced",
    Action.REDACT: "Always replaced",
    Action.REFUSE: "Keeps the whole text here",
}
_DOCUMENTS: Final = {
    Documents.NONE: "No passages of documents go along.",
    Documents.PUBLIC: "Passages of public documents may go along.",
    Documents.STAFF: "Passages of all documents may go along, those for staff too.",
}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What a policy says of one purpose. `open`: whether any text can go."""

    purpose: Purpose
    title: str
    open: bool
    sentences: tuple[str, ...]


_WHY: Final = {
    "policy": "there is no policy",
    "valid_until": "the policy has expired",
    "sticky_from": "of what was said before in this conversation",
    "types": "of what was found in it",
    "languages": "its language cannot be told, or is not among those named",
    "incomplete": "the detector does not look for names here",
    "risk": "the detector was not measured in its language, or misses too much there",
    "masked_value": "a value that was replaced stands in it a second time",
    "unmasked_form": "a number, an address, a name of before or the like stands in it that was not found at first",
    "consent": "the customer has not agreed",
    "documents": "of the documents that would go along",
    "hours": "of the hour",
    "bytes_per_hour": "so much went in the last hour",
    "bytes_per_day": "so much went in the last day",
    "bytes_per_session": "so much went for this conversation",
}


def why(action: Action, rule: str) -> str:
    """What the line of a policy that decided says, as the end of a sentence."""
    purpose, _, line = rule.partition(".")
    if line in set(Label):
        return f"it {_LABELLED[Label(line)]}"
    if action is Action.REFUSE and purpose in set(Purpose) and not line:
        return "the policy does not name this purpose"
    return _WHY.get((line or purpose).partition(".")[0], "no policy is in force")


def in_words(policy: Policy, rates: Rates) -> list[Paragraph]:
    """Every purpose, also those that are refused."""
    return [_paragraph(purpose, policy.rules(purpose), rates) for purpose in Purpose]


def _paragraph(purpose: Purpose, rules: PurposeRules | None, rates: Rates) -> Paragraph:
    if rules is None or rules.public is Action.REFUSE:
        return Paragraph(purpose, PURPOSES[purpose], open=False, sentences=("No text goes.",))
    sentences = (*_by_label(rules), *_by_type(rules), *_by_language(rules, rates), *_the_rest(rules))
    return Paragraph(purpose, PURPOSES[purpose], open=True, sentences=sentences)


def _by_label(rules: PurposeRules) -> Iterator[str]:
    for label in Label:
        yield f"{_TEXTS[label]} {_BECOME[rules.of_label(label)]}."
    yield f"From the label “{rules.sticky_from}” on, the rest of the conversation counts as what it once was."


def _by_type(rules: PurposeRules) -> Iterator[str]:
    for action in reversed(Action):
        if named := sorted(type_ for type_, its in rules.types.items() if its is action):
            yield f"{_TYPES[action]}: {', '.join(named)}."


def _by_language(rules: PurposeRules, rates: Rates) -> Iterator[str]:
    if rules.languages == "all":
        yield "Texts in any language" + ("." if rules.risk is Risk.ANY else " that was measured.")
    elif not rules.languages:
        yield "No language is named, so no text goes."
    if rules.risk is Risk.ANY:
        yield "How much the detector misses is not asked."
        return
    most = MISS_RATE_MAX[rules.risk]
    yield (
        f"Where the detector misses at most {most:.0%} of what it misses most of: names, addresses, or all the rest"
        f" (“{rules.risk}”)."
    )
    codes = sorted(rates.language) if rules.languages == "all" else rules.languages
    for code in codes:
        yield f"{_name(code)}: {measured(code, rates, most)}"
    if not some_language_passes(rules, rates):
        yield "So with this release's detector no text goes: all of it stays here."


def some_text_passes(rules: PurposeRules | None, rates: Rates) -> bool:
    """Whether a purpose lets any text go, with what was measured of the detector."""
    return rules is not None and rules.public is not Action.REFUSE and some_language_passes(rules, rates)


def measured(code: str, rates: Rates, most: float | None = None) -> str:
    """What was measured of a language, and whether a tolerance lets it go."""
    found = rates.of(code)
    if found is None:
        return "not measured, so no text goes."
    told = "; ".join(
        f"{name}: {rate.share:.2%} of {rate.of:,} were missed when it was measured (95 %: at most {rate.at_most:.2%})"
        for name, rate in found.groups.items()
    )
    if most is None or found.at_most <= most:
        return f"{told}."
    return f"{told}. Of {found.worst[0]} too many, so no text goes."


def _the_rest(rules: PurposeRules) -> Iterator[str]:
    yield _DOCUMENTS[rules.documents]
    yield "Only for customers who have agreed." if rules.consent else "Customers are not asked."
    yield f"When: {', '.join(rules.hours)}." if rules.hours else "At no time, so no text goes."
    yield (
        f"At most {rules.bytes_per_hour:,} bytes an hour, {rules.bytes_per_day:,} a day and"
        f" {rules.bytes_per_session:,} in one conversation."
    )


def _name(code: str) -> str:
    tongue = tongues().get(code)
    return tongue.name if tongue else code
