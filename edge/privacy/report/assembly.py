"""All parts of the report, in the order in which a lawyer reads them. Pure."""

from __future__ import annotations

from typing import Final

from edge.privacy.report.ai_act import ai_act
from edge.privacy.report.document import Document, Gap, Listing, Paragraph, Section
from edge.privacy.report.dpia import dpia
from edge.privacy.report.facts import Facts, PolicyFacts, PurposeFacts
from edge.privacy.report.hipaa import hipaa
from edge.privacy.report.measures import evidence, measures
from edge.privacy.report.processing import record
from edge.privacy.report.processor import processor

DRAFT: Final = (
    "Made by a program from the settings, the store and the tests of this site's software."
    " Whatever a program cannot know is marked “To be completed by the controller”."
)


def report(facts: Facts) -> Document:
    """The whole of it."""
    sections = (
        record(facts),
        measures(facts),
        dpia(facts),
        processor(facts),
        ai_act(facts),
        hipaa(facts),
        _policy(facts.policy),
        evidence(facts),
    )
    return Document(
        title="Data protection report",
        subject=facts.site.name,
        made_on=facts.made_on.isoformat(),
        facts_sha256=facts.sha256,
        front=_front(facts),
        notice=DRAFT,
        sections=sections,
    )


def _front(facts: Facts) -> tuple[tuple[str, str], ...]:
    policy = facts.policy
    in_force = f"{policy.name}, until {policy.valid_until}" if policy.name else f"none: {policy.trouble}"
    ran = facts.evidence
    tests = (
        f"run on {ran.run_on}, version {ran.version}, commit {ran.commit}"
        if ran.run_on
        else "not run on this build"
    )
    return (
        ("Site", f"{facts.site.name} ({facts.site.id})"),
        ("Made on", facts.made_on.isoformat()),
        ("Software", f"Postern {facts.software_version}"),
        ("Privacy policy in force", in_force),
        ("Tests", tests),
        ("SHA-256 of the facts", facts.sha256),
    )


def _effect(purpose: PurposeFacts) -> str:
    """What follows from the sentences below it, here and now."""
    if not purpose.used:
        return "Nothing at this site hands text on for this purpose."
    return (
        "Text is handed on for this purpose."
        if purpose.open
        else "Nothing gets past the policy for this purpose."
    )


def _policy(policy: PolicyFacts) -> Section:
    """What the policy in force says, for whoever reads the report without the console."""
    if policy.trouble:
        told = (Paragraph(text=f"No policy is in force: {policy.trouble}. No text is handed on."),)
        return Section(id="policy", title="Annex: policy in force", blocks=told)
    sections = tuple(
        Section(
            id=f"policy-{number}",
            title=purpose.title,
            blocks=(Paragraph(text=_effect(purpose)), Listing(items=purpose.sentences)),
        )
        for number, purpose in enumerate(policy.purposes, 1)
    )
    first = f"“{policy.name}”, signed on {policy.signed_on}, in force until {policy.valid_until}."
    tighter = (
        f" The control plane has tightened it with “{policy.tightened_by}”: only what both permit is handed"
        " on."
        if policy.tightened_by
        else ""
    )
    return Section(
        id="policy",
        title="Annex: policy in force",
        blocks=(
            Paragraph(text=first + tighter),
            Gap(text="who decided on this policy, and on which day it is looked at again"),
        ),
        sections=sections,
    )
