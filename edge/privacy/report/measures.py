"""Technical and organisational measures (GDPR Art. 32), and the annex with the tests that prove them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge.privacy.report.document import Block, Cell, Gap, Listing, Paragraph, Section, Table
from edge.privacy.report.duties import MEASURES
from edge.privacy.report.facts import Facts, ProofFacts
from edge.privacy.report.measure import Aim, Measure, failing, proven

_COLUMNS: Final = ("Measure", "How it works at this site", "Where it is set", "Held up by")
_WIDTHS: Final = (20, 46, 16, 18)


def measures(facts: Facts) -> Section:
    """A table for each aim, then what no program can do."""
    return Section(
        id="measures",
        title="Technical and organisational measures (GDPR Art. 32)",
        blocks=(
            Paragraph(
                text="Each measure is described as it is configured at this site. The last column says how"
                " many tests of the product prove it, and how they ended on this build; their names are in"
                " the annex “Evidence”."
            ),
            *_failures(facts),
        ),
        sections=(*(_of_aim(facts, aim) for aim in Aim), _organisation()),
    )


def evidence(facts: Facts) -> Section:
    """The annex: every test by name."""
    ran = facts.evidence
    told = (
        f"The tests ran on {ran.run_on} for version {ran.version}, commit {ran.commit}."
        if ran.run_on
        else "No record of a run of the tests came with this build: they are listed as not run on this build. Running"
        " `make test` writes one."
    )
    rows = [
        (one.title, _name(proof), proof.test.split("::")[0], proof.result)
        for one in MEASURES
        for proof in facts.evidence.proofs.get(one.id, ())
    ]
    columns, widths = ("Measure", "What is tested", "File", "Result"), (22, 44, 24, 10)
    table = (
        [Table(caption="Tests that prove measures", columns=columns, widths=widths, rows=tuple(rows))]
        if rows
        else []
    )
    return Section(id="evidence", title="Annex: evidence", blocks=(Paragraph(text=told), *table))


def _failures(facts: Facts) -> Iterator[Block]:
    if failed := failing(facts.evidence):
        titles = ", ".join(one.title for one in MEASURES if one.id in failed)
        yield Paragraph(text=f"Tests of these measures failed on this build; do not rely on them: {titles}.")


def _of_aim(facts: Facts, aim: Aim) -> Section:
    rows = tuple(_row(facts, one) for one in MEASURES if one.aim is aim)
    table = Table(caption=f"Measures: {aim}", columns=_COLUMNS, widths=_WIDTHS, rows=rows)
    return Section(id=f"measures-{aim.name.lower()}", title=str(aim), blocks=(table,))


def _row(facts: Facts, one: Measure) -> tuple[Cell, ...]:
    serves = f"{one.title}\n{one.law}" if one.law else one.title
    return (serves, one.how(facts), one.where, proven(facts, one.id))


def _name(proof: ProofFacts) -> str:
    """A test's name as words."""
    return proof.test.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _organisation() -> Section:
    wanted = (
        "physical protection of the machine and of the kiosks: room, locks, who has keys",
        "who installs updates, and how soon",
        "training of staff who use the console, and their obligation to confidentiality (Art. 29, 32(4))",
        "how a breach is found, told and recorded (Art. 33, 34): who decides within 72 hours, and who is"
        " told",
        "network: firewall, segmentation, and the TLS proxy before the node, if there is one",
        "where copies of the site's folder and of its keys are kept, and who can reach both",
        "how often these measures are reviewed (Art. 32(1)(d)), and by whom",
    )
    return Section(
        id="measures-organisation",
        title="Organisational measures of the controller",
        blocks=(
            Paragraph(text="What the program cannot see or do:"),
            Listing(items=tuple(Gap(text=text) for text in wanted)),
        ),
    )
