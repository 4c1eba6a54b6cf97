"""Transparency under the EU AI Act (Regulation (EU) 2024/1689, Art. 50), and human oversight. Pure."""

from __future__ import annotations

from typing import Final

from edge.privacy.report.document import Cell, Gap, Listing, Paragraph, Section, Table
from edge.privacy.report.duties import measure
from edge.privacy.report.facts import Facts
from edge.privacy.report.measure import proven

_COLUMNS: Final = ("Provision", "At this site", "Evidence", "To decide or to add")
_WIDTHS: Final = (20, 42, 16, 22)


def ai_act(facts: Facts) -> Section:
    """The table of Art. 50, the words of the notice, oversight, and the models that serve."""
    return Section(
        id="ai-act",
        title="Transparency of the AI system (EU AI Act, Art. 50)",
        blocks=(
            Paragraph(
                text="Regulation (EU) 2024/1689; Art. 50 applies since 2 August 2026 (Art. 113). Counsel"
                " confirms which transitional rules apply to systems that were in use before."
            ),
            Table(caption="Duties under Art. 50", columns=_COLUMNS, widths=_WIDTHS, rows=_rows(facts)),
        ),
        sections=(_notice(facts), _oversight(facts), _models(facts)),
    )


def _rows(facts: Facts) -> tuple[tuple[Cell, ...], ...]:
    return (
        (
            "Art. 50(1)\nPeople are told that they talk to an AI system",
            f"{measure('notice').how(facts)} The first sentence says that it is an AI assistant and no"
            f" person.{_programs(facts)}",
            proven(facts, "notice"),
            Gap(
                text="signs at the kiosk, where the page alone does not reach everybody (Art. 50(5):"
                " accessibility)"
            ),
        ),
        (
            "Art. 50(2)\nGenerated text is marked, readable by machines",
            measure("marking").how(facts),
            proven(facts, "marking"),
            Gap(
                text="whether quoting, or an assistive function, falls under the exception; which standard"
                " of marking is followed"
            ),
        ),
        (
            "Art. 50(3)\nEmotion recognition, biometric categorisation",
            "None: the desk takes no pictures, no sound and no measurements of people.",
            "By construction: there is no such input.",
            "Nothing.",
        ),
        (
            "Art. 50(4)\nDeep fakes; texts that inform the public",
            "No pictures, sound or video are made. An answer goes to the person who asked, from documents"
            " for which the site is responsible.",
            "By construction.",
            Gap(
                text="whether answers inform the public on matters of public interest, and who then has"
                " editorial responsibility"
            ),
        ),
        (
            "Art. 50(5)\nClear, in time, accessible",
            "The notice stands before the first question, in a page that works with keyboard and screen"
            " reader.",
            proven(facts, "notice"),
            Gap(text="languages of the notice that visitors need"),
        ),
        (
            "Art. 4\nAI literacy of staff",
            "The product cannot provide this.",
            "None.",
            Gap(text="training of staff who look after the desk"),
        ),
        (
            "Art. 6, Annex III\nWhether it is high-risk",
            "The desk gives information from documents and decides nothing about anybody. It neither ranks,"
            " admits, scores nor triages people.",
            "None.",
            Gap(text="the provider's and the deployer's own assessment, with the reason"),
        ),
    )


def _programs(facts: Facts) -> str:
    others = facts.others
    if not others.programs:
        return " No program has a key, so every question comes by the site's own pages."
    unbound = others.programs_without_notice
    told = (
        f", {unbound} of them not bound to the notice of today"
        if unbound
        else ", all bound to the notice of today"
    )
    return f" {others.programs} programs with a key show the notice themselves{told}."


def _notice(facts: Facts) -> Section:
    paragraphs = tuple(Paragraph(text=text) for text in facts.notice.text.split("\n\n"))
    return Section(
        id="ai-act-notice",
        title="Words of the notice",
        blocks=(
            Paragraph(text=f"Version {facts.notice.version}, as it is shown today:"),
            *paragraphs,
            Gap(
                text="what Art. 13 asks for and only the controller knows: name and contact, data protection"
                " officer, purposes with their lawful basis, rights, supervisory authority; and where"
                " visitors find it"
            ),
        ),
    )


def _oversight(facts: Facts) -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (one.title, one.how(facts), one.where, proven(facts, one.id))
        for one in (measure(name) for name in ("human", "danger", "sources", "gated-models"))
    )
    columns, widths = ("Measure", "How it works at this site", "Where", "Held up by"), (20, 48, 14, 18)
    return Section(
        id="ai-act-oversight",
        title="Human oversight, accuracy and robustness",
        blocks=(
            Table(caption="Human oversight", columns=columns, widths=widths, rows=rows),
            Listing(
                items=(
                    Gap(text="who watches over the answers, and how often"),
                    Gap(text="who may switch the desk off, and how visitors are then served"),
                )
            ),
        ),
    )


def _models(facts: Facts) -> Section:
    rows = tuple(
        (
            one.does,
            f"{one.name}, version {one.version}",
            one.licence,
            f"`{one.sha256}`" if one.sha256 else Gap(text="hash"),
        )
        for one in facts.models
    )
    columns, widths = ("What it does", "Model", "Licence", "SHA-256"), (28, 26, 12, 34)
    return Section(
        id="ai-act-models",
        title="Models that serve",
        blocks=(Table(caption="Models that serve at this site", columns=columns, widths=widths, rows=rows),)
        if rows
        else (Paragraph(text="No model is there: the desk cannot answer."),),
    )
