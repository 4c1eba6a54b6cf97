"""The technical safeguards of HIPAA (45 CFR 164.312), provision by provision. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from edge.privacy.report.document import Cell, Gap, Listing, Paragraph, Section, Table
from edge.privacy.report.duties import measure
from edge.privacy.report.facts import Facts
from edge.privacy.report.measure import proven

_COLUMNS: Final = (
    "Provision",
    "R/A",
    "How it is met at this site",
    "Evidence",
    "What remains the covered entity's",
)
_WIDTHS: Final = (19, 6, 37, 15, 23)


@dataclass(frozen=True)
class Provision:
    """A standard or implementation specification. `kind`: (R)equired, (A)ddressable, or a standard of its own."""

    cited: str
    title: str
    kind: Literal["R", "A"]
    measures: tuple[str, ...]
    remains: str


PROVISIONS: Final = (
    Provision(
        "(a)(1)",
        "Access control",
        "R",
        ("access", "audiences"),
        "policies on who gets which role (164.308(a)(4))",
    ),
    Provision(
        "(a)(2)(i)",
        "Unique user identification",
        "R",
        ("access",),
        "that no account is shared; leaving staff are disabled the same day",
    ),
    Provision(
        "(a)(2)(ii)",
        "Emergency access procedure",
        "R",
        ("emergency-access",),
        "where the sealed password lies, and who may open it",
    ),
    Provision("(a)(2)(iii)", "Automatic logoff", "A", ("log-off",), "log-off of the workstations themselves"),
    Provision(
        "(a)(2)(iv)",
        "Encryption and decryption",
        "A",
        ("encryption-at-rest", "keys", "memory"),
        "safe keeping of keys and of copies of them",
    ),
    Provision(
        "(b)",
        "Audit controls",
        "R",
        ("audit", "record-of-egress"),
        "regular review of the records (164.308(a)(1)(ii)(D))",
    ),
    Provision(
        "(c)(1)",
        "Integrity",
        "R",
        ("integrity", "durability"),
        "protection of the documents before they are added",
    ),
    Provision(
        "(c)(2)",
        "Mechanism to authenticate electronic protected health information",
        "A",
        ("integrity",),
        "comparison with the record of origin, where answers quote one",
    ),
    Provision(
        "(d)",
        "Person or entity authentication",
        "R",
        ("access",),
        "checking who somebody is before an account is given; a second factor at the login provider",
    ),
    Provision(
        "(e)(1)",
        "Transmission security",
        "R",
        ("transmission", "one-way-out"),
        "the network between kiosk and node",
    ),
    Provision(
        "(e)(2)(i)",
        "Integrity controls",
        "A",
        ("transmission", "record-of-egress"),
        "the TLS proxy's configuration, if there is one",
    ),
    Provision(
        "(e)(2)(ii)",
        "Encryption",
        "A",
        ("transmission", "local-network"),
        "certificates of the servers that the settings name",
    ),
)


def hipaa(facts: Facts) -> Section:
    """The table, and what a table of technical safeguards leaves out."""
    rows = tuple(_row(facts, one) for one in PROVISIONS)
    return Section(
        id="hipaa",
        title="HIPAA technical safeguards (45 CFR 164.312)",
        blocks=(
            Paragraph(
                text="For covered entities and business associates in the United States; elsewhere strike"
                " this part. R: required. A: addressable, which does not mean optional (164.306(d)): where"
                " one is not implemented, the reason and an equivalent measure are written down."
            ),
            Table(caption="Technical safeguards", columns=_COLUMNS, widths=_WIDTHS, rows=rows),
            Paragraph(text="Not covered by a table of technical safeguards:"),
            Listing(
                items=(
                    Gap(
                        text="administrative safeguards (164.308): risk analysis, security official,"
                        " training, contingency plan"
                    ),
                    Gap(text="physical safeguards (164.310): facility, workstations, devices and media"),
                    Gap(
                        text="business associate agreements (164.314(a), 164.504(e)) with whoever operates,"
                        " maintains or hosts"
                    ),
                    Gap(text="documentation, kept for six years (164.316(b)(2)(i))"),
                )
            ),
            Paragraph(
                text="The desk does not de-identify records under 164.514. It reads questions, and finds"
                " identifiers in them at the rates of the assessment of risks."
            ),
        ),
    )


def _row(facts: Facts, one: Provision) -> tuple[Cell, ...]:
    evidence = "\n".join(f"{measure(name).title}: {proven(facts, name)}" for name in one.measures)
    told = "\n".join(_told(facts, name, one) for name in one.measures)
    return (f"164.312{one.cited}\n{one.title}", one.kind, told, evidence, Gap(text=one.remains))


def _told(facts: Facts, name: str, here: Provision) -> str:
    """How a measure works; where it was told already, only where."""
    first = next(one for one in PROVISIONS if name in one.measures)
    known = measure(name)
    return known.how(facts) if first is here else f"{known.title}: as told at 164.312{first.cited}."
