"""Risks to the rights and freedoms of people (GDPR Art. 35(7)(c), (d)): before and after the measures. Pure.

The levels are a proposal of the maker, who knows the machine and not the place; the controller decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge.privacy.report.facts import Facts
from edge.privacy.report.wording import text_may_go


class Level(StrEnum):
    """Of likelihood and of severity."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True)
class Graded:
    """How likely, and how bad."""

    likelihood: Level
    severity: Level


@dataclass(frozen=True)
class Risk:
    """What may happen to somebody. `after`: with the measures, as they are at this site."""

    title: str
    harm: str
    before: Graded
    measures: tuple[str, ...]
    after: Callable[[Facts], Graded]


def _becomes(likelihood: Level, severity: Level) -> Callable[[Facts], Graded]:
    return lambda _: Graded(likelihood, severity)


def _handed_on(facts: Facts) -> Graded:
    return Graded(Level.MEDIUM if text_may_go(facts) else Level.LOW, Level.HIGH)


def _taken_over(facts: Facts) -> Graded:
    return Graded(Level.LOW if facts.site.processes_apart else Level.MEDIUM, Level.HIGH)


def _wrong(facts: Facts) -> Graded:
    return Graded(Level.LOW if facts.site.answer_mode == "extractive" else Level.MEDIUM, Level.MEDIUM)


RISKS: Final = (
    Risk(
        "Words of a person reach somebody outside the site",
        "Disclosure of health, finances or other confidences",
        Graded(Level.HIGH, Level.HIGH),
        ("one-way-out", "policy", "detection", "pseudonyms", "record-of-egress", "no-telemetry"),
        _handed_on,
    ),
    Risk(
        "Something personal is not recognised and stays with questions that are kept",
        "A name or an illness stands in a list that staff read, for a month or longer",
        Graded(Level.HIGH, Level.MEDIUM),
        ("detection", "access"),
        _becomes(Level.MEDIUM, Level.LOW),
    ),
    Risk(
        "The machine or its disk is stolen, or a copy is made",
        "Conversations and tickets of the day are read",
        Graded(Level.MEDIUM, Level.HIGH),
        ("encryption-at-rest", "keys", "wiping", "memory"),
        _becomes(Level.LOW, Level.MEDIUM),
    ),
    Risk(
        "The next person at the kiosk reads what the one before wrote",
        "Disclosure to a stranger in the same room",
        Graded(Level.HIGH, Level.MEDIUM),
        ("wiping",),
        _becomes(Level.LOW, Level.MEDIUM),
    ),
    Risk(
        "Staff look at what they need not see",
        "Curiosity about neighbours, colleagues, well-known people",
        Graded(Level.MEDIUM, Level.HIGH),
        ("access", "audit", "log-off", "tickets"),
        _becomes(Level.LOW, Level.HIGH),
    ),
    Risk(
        "Somebody relies on a wrong answer",
        "A missed appointment, fee or treatment; harm to health in the worst case",
        Graded(Level.MEDIUM, Level.HIGH),
        ("notice", "sources", "marking", "human", "danger", "gated-models"),
        _wrong,
    ),
    Risk(
        "Somebody takes the machine over from the network",
        "All that is stored can be read while it is open; what is personal can be sent away",
        Graded(Level.MEDIUM, Level.HIGH),
        ("one-way-out", "transmission", "access", "local-network"),
        _taken_over,
    ),
    Risk(
        "The control plane is taken over",
        "Rules are loosened at many sites at once",
        Graded(Level.MEDIUM, Level.HIGH),
        ("policy", "counts-only", "record-of-egress"),
        _becomes(Level.LOW, Level.LOW),
    ),
    Risk(
        "Data stay longer than they are needed",
        "Old matters come up again",
        Graded(Level.HIGH, Level.MEDIUM),
        ("retention", "wiping", "tickets", "erasure"),
        _becomes(Level.LOW, Level.MEDIUM),
    ),
    Risk(
        "Somebody asks for access or erasure and does not get it whole",
        "What was said stays, or comes back with a backup",
        Graded(Level.HIGH, Level.MEDIUM),
        ("export", "erasure", "retention", "legal-hold"),
        _becomes(Level.LOW, Level.MEDIUM),
    ),
    Risk(
        "Somebody is recognised from counts",
        "That a person was at the desk at a certain hour, and for what",
        Graded(Level.LOW, Level.MEDIUM),
        ("counts-only",),
        _becomes(Level.LOW, Level.LOW),
    ),
    Risk(
        "A person cannot make a machine understand, or will not talk to one",
        "Exclusion from a service (age, disability, language)",
        Graded(Level.MEDIUM, Level.MEDIUM),
        ("human", "notice"),
        _becomes(Level.MEDIUM, Level.LOW),
    ),
    Risk(
        "What was confirmed is lost",
        "A ticket is never answered",
        Graded(Level.MEDIUM, Level.MEDIUM),
        ("durability", "integrity", "backup"),
        _becomes(Level.LOW, Level.MEDIUM),
    ),
)
