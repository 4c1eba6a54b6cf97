"""A processor annex (GDPR Art. 28(3)): what a contract must say, letter by letter, and what the product gives. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from edge.privacy.report.activities import ACTIVITIES
from edge.privacy.report.document import Cell, Gap, Paragraph, Section, Table
from edge.privacy.report.facts import Facts
from edge.privacy.report.safeguards import servers
from edge.privacy.report.wording import joined, number


def _deletion(facts: Facts) -> str:
    made = facts.rows_of("backups")
    known = f"this site knows of {number(made)} of them" if made else "this site knows of none"
    return (
        "Removing the site's folder, with its keys, removes what is on the machine, and no more. To be destroyed"
        f" as well: backups, with the file of keys beside each ({known}), the recovery key, which opens them and"
        " brings the root key back, and every other copy of the folder, of its keys and of exports. A"
        " backup of which the recovery key is destroyed, with all copies of it, opens no more."
    )


_LETTERS: Final[tuple[tuple[str, str | Callable[[Facts], str], str], ...]] = (
    (
        "(a) only on documented instructions, transfers included",
        "What may be handed on is a policy that the site itself signs; the control plane can tighten it and"
        " never loosen it. Settings are files of the site; changes at the console are rows of audit.",
        "how instructions are given and confirmed; the duty to say when one seems unlawful",
    ),
    (
        "(b) confidentiality of those who process",
        "Roles limit who reads what. A conversation that was not handed to staff is opened only to answer a"
        " request of the person concerned, and that is a row of audit.",
        "undertaking of the processor's staff, or their statutory duty",
    ),
    (
        "(c) security under Art. 32",
        "“Technical and organisational measures” of this report is the annex.",
        "that the processor keeps them up, and tells of changes",
    ),
    (
        "(d) other processors only under Art. 28(2) and (4)",
        "The node calls no other service than those named under “Recipients”.",
        "list of other processors (hosting, maintenance), general or specific authorisation, time to object",
    ),
    (
        "(e) assistance with the rights of data subjects",
        "Export, erasure with a receipt, holds and the proof of consents are commands and pages of the"
        " console; the same words in both.",
        "how requests that reach the processor are passed on, and within what time",
    ),
    (
        "(f) assistance with Art. 32 to 36",
        "This report, with its draft of an impact assessment; the record of what left; rows of audit.",
        "time within which the processor tells the controller of a breach (Art. 33(2))",
    ),
    (
        "(g) deletion or return at the end",
        _deletion,
        "choice between deletion and return, time, and confirmation; copies that the processor keeps",
    ),
    (
        "(h) information and audits",
        "`postern ledger verify`, rows of audit, the tests named in the annex “Evidence”, and this report"
        " made anew at any time.",
        "how audits are announced, by whom, and at whose cost",
    ),
)


def processor(facts: Facts) -> Section:
    """Subject matter as Art. 28(3) asks for, then its letters (a) to (h)."""
    columns, widths = ("Art. 28(3)", "What the product gives", "What the contract must add"), (24, 42, 34)
    rows = tuple(
        (letter, given if isinstance(given, str) else given(facts), Gap(text=wanted))
        for letter, given, wanted in _LETTERS
    )
    return Section(
        id="processor",
        title="Processor annex (GDPR Art. 28(3))",
        blocks=(
            Paragraph(
                text="For a contract between the site and whoever runs the machine, the control plane or a"
                " server of the site on its behalf. A site that runs all of it itself strikes this part."
            ),
            Table(
                caption="Subject matter of the processing",
                columns=("Item", "Entry"),
                widths=(26, 74),
                rows=_subject(facts),
            ),
            Table(caption="Duties of the processor, (a) to (h)", columns=columns, widths=widths, rows=rows),
        ),
    )


def _subject(facts: Facts) -> tuple[tuple[Cell, ...], ...]:
    told = servers(facts) + (
        [f"a control plane ({facts.others.control_plane})"] if facts.others.control_plane else []
    )
    return (
        ("Parties", Gap(text="controller and processor, with contact details")),
        ("Subject matter and duration", Gap(text="service, beginning and end")),
        (
            "Nature and purpose",
            f"Running an AI front desk: {'; '.join(one.title.lower() for one in ACTIVITIES)}.",
        ),
        ("Type of personal data", "As in “Record of processing activities”, category by category."),
        ("Categories of data subjects", "As in “Record of processing activities”."),
        (
            "Services beside the node that may be another organisation's",
            f"{joined(told)[0].upper()}{joined(told)[1:]}." if told else "None is switched on at this site.",
        ),
        ("Obligations and rights of the controller", Gap(text="as agreed")),
    )
