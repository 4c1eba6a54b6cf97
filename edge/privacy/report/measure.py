"""One technical or organisational measure: how it works at this site, where it is set, and what proves it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from edge.privacy.report.facts import EvidenceFacts, Facts, ProofFacts


class Aim(StrEnum):
    """What a measure serves, in the words of GDPR Art. 32(1), and what it serves beside them."""

    PSEUDONYMS = "Pseudonymisation and encryption (Art. 32(1)(a))"
    CONFIDENTIALITY = "Confidentiality (Art. 32(1)(b))"
    INTEGRITY = "Integrity (Art. 32(1)(b))"
    AVAILABILITY = "Availability, resilience and restoring (Art. 32(1)(b) and (c))"
    TESTING = "Testing and evaluating (Art. 32(1)(d))"
    RIGHTS = "Limits in time, and the rights of people (Art. 5, 7, 12 to 22, 25)"
    MACHINE = "What the machine says (AI Act)"


@dataclass(frozen=True)
class Measure:
    """`id`: the tests' mark. `how`: how it works at this site, or that it is not switched on here."""

    id: str
    title: str
    aim: Aim
    law: str
    """The provisions that it serves, beside Art. 32."""
    where: str
    """Settings, files and commands."""
    how: Callable[[Facts], str]


def always(text: str) -> Callable[[Facts], str]:
    """The same at every site."""
    return lambda _: text


def proven(facts: Facts, measure: str) -> str:
    """What holds a measure up, in a sentence."""
    proofs = facts.evidence.proofs.get(measure, ())
    if not proofs:
        return "No test of this release."
    return f"{_tests(len(proofs))}: {_ended(facts, proofs)}."


def _ended(facts: Facts, proofs: tuple[ProofFacts, ...]) -> str:
    evidence = facts.evidence
    if evidence.run_on is None:
        return "not run on this build"
    counts = Counter(proof.result for proof in proofs)
    told = ", ".join(f"{'all' if n == len(proofs) else n} {result}" for result, n in sorted(counts.items()))
    return f"{told}, {evidence.run_on}{_other_version(facts)}"


def _other_version(facts: Facts) -> str:
    """A run of another release proves nothing of this one, and says so."""
    ran, runs = facts.evidence.version, facts.software_version
    return "" if ran == runs else f", of version {ran}; {runs} runs here"


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"


def failing(evidence: EvidenceFacts) -> list[str]:
    """Measures of which a test failed."""
    return [
        measure
        for measure, proofs in evidence.proofs.items()
        if any(proof.result == "failed" for proof in proofs)
    ]
